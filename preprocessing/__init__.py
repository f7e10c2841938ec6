"""What the data is: schemas, reading, validating, encoding, splitting."""
