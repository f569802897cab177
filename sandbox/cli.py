"""The command `sandbox`."""

from __future__ import annotations

import json
import sys

import click

from sandbox.checking.channels import Channel, measure
from sandbox.checking.checks import Check, self_check, usable_backends
from sandbox.checking.suite import CaseReport, default_folder, run_suite
from sandbox.runner import get_runner
from sandbox.runner_env.environment import SandboxUnavailable

OURS = 4  # exit code: a fault of this host
A_BYTE = 8.0  # bits that a run may tell another


@click.group()
def main() -> None:
    """Run students' code under limits: what this host offers for it."""


@main.command("self-check")
@click.option("--backend", help="Check this backend instead of the one that would be chosen.")
@click.option(
    "--suite",
    is_flag=True,
    help="Run the attack suite too, on every backend there is (some minutes each).",
)
@click.option(
    "--channels",
    is_flag=True,
    help="Measure how much one run can tell another, on every backend there is (a minute each).",
)
@click.option("--case", "names", multiple=True, help="With --suite: only this case (repeatable).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check_command(
    backend: str | None, suite: bool, channels: bool, names: tuple[str, ...], as_json: bool
) -> None:
    """Show which defences are active on this host, found out by trying.

    Exits with 4 where a required one is missing: students' code must not run here.

    \b
    Example:  sandbox self-check --suite --json
    """
    checks = self_check(backend)
    reports: list[CaseReport] = []
    measured: dict[str, list[Channel]] = {}
    if (suite or channels) and not _failed(checks):
        for name in [backend] if backend else usable_backends():
            reports += _run_cases(name, names) if suite else []
            measured |= {name: _measure(name)} if channels else {}
    if as_json:
        table = {
            "checks": [check.as_dict() for check in checks],
            "cases": [report.as_dict() for report in reports],
            "channels": {name: [each.as_dict() for each in of] for name, of in measured.items()},
        }
        click.echo(json.dumps(table, indent=1))
    else:
        for check in checks:
            _say(check.ok, check.required, check.name, check.sentence)
        for report in reports:
            _say(not report.problems, True, report.case, _sentence(report))
        for name, of in measured.items():
            for channel in of:
                _say(channel.bits <= A_BYTE, False, channel.name, _carried(channel, name))
    if _failed(checks) or any(report.problems for report in reports):
        sys.exit(OURS)


def _failed(checks: list[Check]) -> bool:
    return any(check.required and not check.ok for check in checks)


def _run_cases(backend: str, names: tuple[str, ...]) -> list[CaseReport]:
    if not default_folder().is_dir():
        raise click.UsageError("the attack suite comes with the source checkout, not the package")
    try:
        with get_runner(backend) as runner:
            reports = []
            for report in run_suite(runner, names):
                click.echo(f"  {report.case} on {report.backend}: {report.verdict}", err=True)
                reports.append(report)
            return reports
    except SandboxUnavailable as unavailable:
        raise click.ClickException(str(unavailable)) from unavailable


def _measure(backend: str) -> list[Channel]:
    try:
        with get_runner(backend) as runner:
            return list(measure(runner))
    except (SandboxUnavailable, RuntimeError) as failed:
        raise click.ClickException(str(failed)) from failed


def _carried(channel: Channel, backend: str) -> str:
    why = f" ({channel.refused})" if channel.refused else ""
    return (
        f"{channel.bits:g} of {channel.sent} bits in {channel.seconds:g} s, to a run "
        f"{channel.when}, on {backend}{why}"
    )


def _sentence(report: CaseReport) -> str:
    return "; ".join(report.problems) or f"{report.verdict} on {report.backend}"


def _say(ok: bool, required: bool, name: str, sentence: str) -> None:
    mark = "ok  " if ok else "FAIL" if required else "weak"
    click.secho(
        f"{mark} {name:<20} {sentence}", fg="green" if ok else "red" if required else "yellow"
    )
