"""The winner of a search: trained longer where there is time, scored on unseen clips, written to files."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import msgspec

from tvnsearch.api.exported import ExportedLatency, exported_line, time_exported
from tvnsearch.api.model_hub import DESCRIBING, README, model_card, write_configs, write_layer_times
from tvnsearch.api.open_run import OpenRun
from tvnsearch.api.recipes import planned_recipe
from tvnsearch.api.status import FinalScores, final_scores
from tvnsearch.api.times import recipe_of_seconds
from tvnsearch.api.trained_model import ModelCard, export_winner, load_model, precision_of, write_model
from tvnsearch.api.verification import ClipAgreement, verified
from tvnsearch.api.watching import Watch
from tvnsearch.errors import UserError, in_one_line
from tvnsearch.export.formats import FORMATS, Format, format_of_backend
from tvnsearch.export.options import GraphOptions
from tvnsearch.files import copy_whole, write_whole, writing
from tvnsearch.search.executors import OF_ENVIRONMENT
from tvnsearch.search.journal.writer import Journal
from tvnsearch.search.plan import SearchPlan
from tvnsearch.search.progress.status import summarise
from tvnsearch.search.protocols import TrainingFailed
from tvnsearch.search.records import Finalist, Individual, Winner
from tvnsearch.search.run_folder import drop_checkpoint, finalist_weights_path, weights_path, winner_folder
from tvnsearch.training.recipe import Recipe
from tvnsearch.workers import WorkerDiedError


def hand_over(opened: OpenRun, winner: Winner, watch: Watch) -> None:
    """Write the winner's folder, unless this winner's is there; a finalist is handed over as such.

    Where the search was cut to the user's minutes the winner is trained longer first; interrupted, that goes
    on from its checkpoint. An export that failed, or was cut off, is tried again.

    Raises:
        UserError: the weights cannot be scored on this machine, or the files not be written.
    """
    run, number = opened.folder, winner.individual.number
    finals = opened.journal.history().finalists
    finalist = next((one for one in finals if one.individual.number == number), None)
    scores = final_scores(run)
    if scores is not None and _is_of(scores, number, finalist):
        _export(run, watch)
        return
    if finalist is not None:
        hand_over_finalist(opened, finalist, watch)
        return
    minutes = opened.plan.winner_minutes
    with _writing(run):
        winner_folder(run).mkdir(exist_ok=True)
        if minutes is None:
            copy_whole(weights_path(run, number), _weights(run))
            seconds = winner.individual.fitness.seconds
        else:
            seconds = _train_longer(opened, winner, minutes * 60, watch)
        _write_files(opened, winner.individual, seconds, watch)
    drop_checkpoint(_checkpoints(opened.exchange.folder))
    _export(run, watch)


def hand_over_finalist(opened: OpenRun, finalist: Finalist, watch: Watch) -> None:
    """Write the winner's folder with a finalist in it, trained at full length.

    Raises:
        UserError: the weights cannot be scored on this machine, or the files not be written.
    """
    run = opened.folder
    trained = finalist_weights_path(run, finalist.individual.number, finalist.recipe)
    with _writing(run):
        winner_folder(run).mkdir(exist_ok=True)
        copy_whole(trained, _weights(run))
        _write_files(opened, finalist.individual, finalist.fitness.seconds, watch, at_full_length=True)
    _export(run, watch)


def _is_of(scores: FinalScores, number: int, finalist: Finalist | None) -> bool:
    """Whether an individual was handed over, as the finalist that it is if it is one, in the same length."""
    if finalist is None:
        return (scores.number, scores.at_full_length) == (number, False)
    handed = (scores.number, scores.at_full_length, scores.training_seconds)
    return handed == (number, True, finalist.fitness.seconds)


def _writing(run: Path) -> AbstractContextManager[None]:
    return writing(winner_folder(run), f"then go on with `tvnsearch resume {run}`")


def _weights(run: Path) -> Path:
    return winner_folder(run) / "weights.safetensors"


def _onnx(run: Path) -> Path:
    return winner_folder(run) / "model.onnx"


def _checkpoints(run: Path) -> Path:
    return run / "winner-checkpoints"


def _train_longer(opened: OpenRun, winner: Winner, seconds: float, watch: Watch) -> float:
    """Train the winner for so many seconds; those that it took."""
    run, individual = opened.folder, winner.individual
    searched, exchange = weights_path(run, individual.number), opened.exchange
    weights = _weights(exchange.folder)
    checkpoints = _checkpoints(exchange.folder) / f"{individual.number}-{seconds:.0f}-seconds"
    recipe = recipe_of_seconds(seconds, opened.plan.search.seed, planned_recipe(opened.plan))

    def show(state: dict[str, float]) -> None:
        watch.progress("train the winner", state["share"], f"loss {state['loss']:.2f}")

    try:
        result = opened.equipment.executor.submit(
            opened.equipment.fitness(recipe).train,
            individual.genome,
            recipe,
            weights,
            show,
            {"checkpoints": str(checkpoints)},
        ).result()
        if result.failed is None:
            exchange.bring_home(weights)
    except OF_ENVIRONMENT as error:
        raise UserError(
            f"expected to train the winner of {run} for longer, but that ended for what is none of its fault "
            f"({error}); mend that, and `tvnsearch resume {run}` goes on"
        ) from None
    except (TrainingFailed, WorkerDiedError) as error:
        watch.say(f"the longer training failed ({error}): the weights of the search are handed over")
        copy_whole(searched, _weights(run))
        return individual.fitness.seconds
    if result.begun_afresh is not None:
        watch.say(f"the longer training: {result.begun_afresh}")
    if result.set_back is not None:
        watch.say(f"the longer training: {result.set_back}")
    if result.failed is not None or result.fitness < individual.fitness.value:
        watch.say("the longer training did not help: the weights of the search are handed over")
        copy_whole(searched, _weights(run))
    return result.seconds


def _write_files(
    opened: OpenRun,
    individual: Individual,
    training_seconds: float,
    watch: Watch,
    at_full_length: bool = False,
) -> None:
    """Score the weights in the winner's folder on unseen clips, and write all else but the export."""
    run, genome, equipment = opened.folder, individual.genome, opened.equipment
    folder, dataset = winner_folder(run), equipment.dataset
    exports = (
        place for each in FORMATS.values() if not each.folder for place in each.places(_onnx(run)).values()
    )
    for of_other_weights in (folder / "scores.json", *exports, *(folder / name for name in DESCRIBING)):
        of_other_weights.unlink(missing_ok=True)
    watch.say(f"scoring the winner on {len(dataset.test)} clips that the search never saw")
    evaluate = equipment.fitness(Recipe()).evaluate
    precision = precision_of(opened.plan.device)
    try:
        weights = opened.exchange.lent(_weights(run))
        test = equipment.executor.submit(evaluate, genome, weights, "test", precision).result()
    except (*OF_ENVIRONMENT, TrainingFailed, WorkerDiedError) as error:
        raise UserError(
            f"expected to score the winner of {run} on the test clips, but that failed ({error}); what was "
            "searched is kept, and the same command tries again"
        ) from None
    card = ModelCard(
        dataset.classes,
        dataset.multi_label,
        data=dataset.address,
        split_seed=opened.plan.training.split_seed,
        precision=precision,
        device=msgspec.structs.replace(opened.plan.device, db=None),
        max_ms=opened.plan.budget.max_ms,
    )
    write_model(folder, genome, card)
    scores = FinalScores(
        number=individual.number,
        clips=test.clips,
        chance=dataset.chance,
        top1=test.top1,
        top5=test.top5,
        mean_average_precision=test.mean_average_precision,
        training_seconds=training_seconds,
        max_relative_error=None,
        at_full_length=at_full_length,
    )
    _write_scores(run, scores)


def _write_scores(run: Path, scores: FinalScores) -> None:
    content = msgspec.json.format(msgspec.json.encode(scores), indent=1)
    write_whole(winner_folder(run) / "scores.json", content)


def _export(run: Path, watch: Watch) -> None:
    """Export and time the winner unless that is done; what fails is said, and the scores stay."""
    scores = final_scores(run)
    if scores is None:
        return
    if scores.exported is None or not _is_settled(scores.exported):
        _export_again(run, scores, watch)
    elif (winner_folder(run) / README).is_file():
        return
    _describe(run, watch)


def _export_again(run: Path, scores: FinalScores, watch: Watch) -> None:
    try:
        with Journal.read(run) as journal:
            plan = journal.plan
        if scores.max_relative_error is None:
            relative_error, on_clips = _export_to_each(run, plan, watch)
            scores = msgspec.structs.replace(scores, max_relative_error=relative_error, on_clips=on_clips)
            _write_scores(run, scores)
        _time_export(run, scores, plan, watch)
    except (UserError, OSError) as error:
        watch.say(f"the winner is not exported: {error}; `tvnsearch resume {run}` tries again")


def _export_to_each(run: Path, plan: SearchPlan, watch: Watch) -> tuple[float, ClipAgreement | None]:
    """Write the winner as ONNX, and for the runtime of the search; how the latter compares with torch.

    Where the runtime's packages are not here (the device was elsewhere) that is said, and ONNX remains.
    """
    compared: tuple[float, ClipAgreement | None] | None = None
    for file_format, options in _wanted(plan):
        watch.say(f"exporting the winner for {file_format.runtime}, and comparing that with torch")
        try:
            compared = _export_to(run, file_format, options, watch)
        except UserError as error:
            if compared is None:
                raise
            watch.say(f"the winner is not exported for {file_format.runtime}: {error}")
    assert compared is not None
    return compared


def _export_to(
    run: Path, file_format: Format, options: GraphOptions, watch: Watch
) -> tuple[float, ClipAgreement | None]:
    """Write the winner in a format; its relative error on noise, and how it agrees on real clips."""
    path, model = _file(run, file_format), load_model(run)
    relative_error = export_winner(model, path, file_format, options)
    return relative_error, verified(model, winner_folder(run), path, options, None, watch)


def _wanted(plan: SearchPlan) -> list[tuple[Format, GraphOptions]]:
    """ONNX for whoever runs it; then what the runtime of the search runs, with as many clips a pass."""
    general = FORMATS["onnx"], GraphOptions()
    searched = format_of_backend(plan.device.backend)
    if searched is None:
        return [general]
    as_measured = searched, GraphOptions(batch=plan.device.batch)
    return [as_measured] if searched == FORMATS["onnx"] else [general, as_measured]


def _file(run: Path, file_format: Format) -> Path:
    return winner_folder(run) / f"model{file_format.suffixes[0]}"


def _describe(run: Path, watch: Watch) -> None:
    """Write what model hubs and viewers read beside the winner's files; what fails is said."""
    folder, scores, model = winner_folder(run), final_scores(run), load_model(run)
    assert scores is not None
    with Journal.read(run) as journal:
        plan = journal.plan
    try:
        if scores.exported is not None and _onnx(run).is_file():
            write_layer_times(model, _onnx(run), scores.exported)
        write_configs(folder, model)
        summary = summarise(run)
        text = model_card(model, scores, plan, summary.winner, summary.promised)
        write_whole(folder / README, text.encode())
    except Exception as error:
        watch.say(f"the winner is not described: {in_one_line(error)}; `tvnsearch resume {run}` tries again")


def _is_settled(exported: ExportedLatency) -> bool:
    """Whether timing it once more has nothing to add."""
    return exported.trusted or exported.keeps_budget is not None


def _time_export(run: Path, scores: FinalScores, plan: SearchPlan, watch: Watch) -> None:
    """The file is what is deployed, so its own latency is told beside the promised one."""
    path, options = _onnx(run), GraphOptions()
    for file_format, asked in _wanted(plan):
        if _file(run, file_format).is_file():
            path, options = _file(run, file_format), asked
    exported = time_exported(path, plan.device, plan.budget.max_ms, watch, options)
    if exported is not None:
        watch.say(exported_line(exported.file, exported))
        _write_scores(run, msgspec.structs.replace(scores, exported=exported))
