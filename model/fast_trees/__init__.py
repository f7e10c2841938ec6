"""Tree models of few paths answer many rows by table look-up, bit for bit as ONNX Runtime does."""
