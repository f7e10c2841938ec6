"""The HTTP service. Asks the packages below; computes nothing itself."""
