"""Services simulated as births and deaths of tasks, judged by the rules on a real Prometheus."""
