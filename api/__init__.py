"""The HTTP service. Opens doors onto the packages below; computes nothing itself."""
