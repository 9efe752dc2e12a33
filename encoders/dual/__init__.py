"""Any dual image-text encoder of `transformers`, chosen by the checkpoint's own config.json."""
