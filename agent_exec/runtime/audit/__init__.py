"""One record for each call, refused ones too, as lines of JSON."""
