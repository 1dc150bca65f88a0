"""Text of tables: encodings, dialects, quotes, and rows with what is lost of them."""
