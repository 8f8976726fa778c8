"""Policy, with time as data: timers, keepalive, queues, statistics, and the face that embedders use."""
