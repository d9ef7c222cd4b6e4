"""Networks that exist only while training: nothing here is exported."""
