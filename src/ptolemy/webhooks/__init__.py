"""Events on their way to other systems: endpoints, subscriptions, deliveries."""
