"""The image and its parts, in containers and out of them."""
