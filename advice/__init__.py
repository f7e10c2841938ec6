"""What a student may do next: positions among the others, reasons, and entries of a catalogue, chosen by rule."""
