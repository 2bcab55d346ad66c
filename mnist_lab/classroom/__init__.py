"""Class mode: limits, locks and the class's runs as one picture. No Streamlit in this folder."""
