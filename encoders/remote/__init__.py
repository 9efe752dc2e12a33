"""The encoder of another installation, over HTTP."""
