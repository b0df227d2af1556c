"""Every activity, by the task queue that it runs on."""
