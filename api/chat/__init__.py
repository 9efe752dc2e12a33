"""Chat about pictures and collections, in OpenAI's shape."""
