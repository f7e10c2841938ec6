"""The Streamlit dashboard. Opens doors onto the packages below; computes nothing itself."""
