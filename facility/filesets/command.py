"""`znought fileset`: a fileset built from what people have, refreshed, or checked."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["fileset"]

Where = Annotated[Path, typer.Argument(metavar="FILESET", help="JSON file, written or looked at.")]
Sources = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SOURCE]...",
        help="Folders, text files of addresses, coffea's JSON, names /A/B/NANOAODSIM; as before if none.",
        show_default=False,
    ),
]
Check = Annotated[bool, typer.Option("--check", help="Look at every file and change nothing.")]
OfCard = Annotated[Path | None, typer.Option("--card", help="With --check: whose datasets it must hold.")]
Pattern = Annotated[
    str | None, typer.Option("--dataset", metavar="REGEX", help="Its group names the dataset of a path.")
]
Tree = Annotated[str | None, typer.Option("--tree", help="Tree of the events; found unless given.")]
Redirectors = Annotated[
    list[str] | None, typer.Option("--redirector", help="Tried behind a file's addresses; repeat it.")
]
Allowed = Annotated[
    list[str] | None, typer.Option("--allowed", help="Site of the grid to read from; repeat it.")
]
Preferred = Annotated[list[str] | None, typer.Option("--preferred", help="Site tried first; repeat it.")]
Blocked = Annotated[list[str] | None, typer.Option("--blocked", help="Site never read from; repeat it.")]
AllowSkip = Annotated[
    bool, typer.Option("--allow-skip", help="Leave out files that cannot be read, by name.")
]


def fileset(
    path: Where,
    sources: Sources = None,
    check: Check = False,
    card: OfCard = None,
    dataset: Pattern = None,
    tree: Tree = None,
    redirector: Redirectors = None,
    allowed: Allowed = None,
    preferred: Preferred = None,
    blocked: Blocked = None,
    allow_skip: AllowSkip = False,
) -> None:
    """A fileset: built from what there is, refreshed, or checked; events and sums of weights counted."""
    from znought.facility.filesets.building import built, checked
    from znought.facility.filesets.written import Origin
    from znought.facility.terminal import voice

    given = {"redirectors": redirector, "allowed": allowed, "preferred": preferred, "blocked": blocked}
    lists = {name: tuple(values) for name, values in given.items() if values}
    origin = Origin(sources=tuple(sources or ()), pattern=dataset, tree=tree, **lists)
    if check and (origin != Origin(sources=()) or allow_skip):
        raise typer.BadParameter(
            "--check looks at the fileset as it stands: SOURCE and options are of a build."
        )
    if card is not None and not check:
        raise typer.BadParameter("--card goes with --check.")
    with voice.reporter.bar("looking at files") as advance:

        def progress(done: int, total: int) -> None:
            advance(done, total, "")

        if check:
            told = checked(path, _datasets_of(card), progress=progress)
        else:
            told = built(path, origin, allow_skip=allow_skip, progress=progress)
    for line in told.lines:
        typer.echo(line)
    for line in told.mistakes:
        typer.secho(line, err=True, fg="red")
    raise typer.Exit(1 if told.mistakes else 0)


def _datasets_of(card: Path | None) -> tuple[str, ...]:
    """Datasets of a card, as they are read."""
    if card is None:
        return ()
    from znought.facility.cards.reading import load_card

    return tuple(load_card(card).sources)
