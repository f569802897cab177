"""Agents: machines that run students' code over HTTPS, where neither answers nor keys are.

A worker offers each run (`remote`), an agent leases it, renews the lease while it goes on and
brings the result (`runs`); the worker scores, as it does what ran beside it. `registry` knows which
agents there are and what each may do.
"""
