"""Counters and gauges, in Prometheus' form. A label never holds what a client or patient sent."""

from prometheus_client import Counter, Gauge

sockets = Gauge("wardcast_sockets", "Open sockets")
subscriptions = Gauge("wardcast_subscriptions", "Running subscriptions")
cohorts = Gauge("wardcast_cohorts", "Groups of subscriptions that share one run")
layer_up = Gauge("wardcast_channel_layer_up", "1 while the hub hears the channel layer")
position = Gauge("wardcast_log_position", "Number of the last event taken from the log")
replaying = Gauge("wardcast_replaying", "Subscriptions that read from the log at their own pace")
repairs = Counter("wardcast_log_repairs", "Reads of the log because a message was missing")
log_errors = Counter("wardcast_log_errors", "Reads of the log that failed")
shrunk = Counter("wardcast_broadcasts_shrunk", "Times that the channel layer was too slow")
closes = Counter("wardcast_closes", "Sockets closed by the server", ["code"])
limits = Counter("wardcast_limits_exceeded", "Requests that went beyond a limit", ["limit"])
errors = Counter("wardcast_errors", "Errors sent to clients", ["code"])
restarts = Counter("wardcast_task_restarts", "Background tasks that failed", ["task"])
events = Counter("wardcast_events", "Broadcasts taken by the hub")
deliveries = Counter("wardcast_deliveries", "Notifications handed to sockets")
