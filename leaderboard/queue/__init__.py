"""The durable queue, its order, its workers and what is seen of it."""
