"""The Streamlit dashboard. Asks the packages below; computes nothing itself."""
