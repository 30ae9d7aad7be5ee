"""The PostgreSQL that comes with the product, started in the data directory when no other is named."""

from ptolemy.database.embedded.children import EmbeddedProblem
from ptolemy.database.embedded.server import EmbeddedServer, serving_alone, start

__all__ = ["EmbeddedProblem", "EmbeddedServer", "serving_alone", "start"]
