"""Types of the compiled core; csrc/bindings.cpp mirrors this file line for line."""
