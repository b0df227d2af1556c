"""The programs that `stich up` runs, each as a child process."""
