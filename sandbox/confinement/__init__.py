"""The walls: control groups, system calls, devices."""
