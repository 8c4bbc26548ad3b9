"""The instance folder: its secrets are made once, whole, for their owner alone."""

import os
import stat
import subprocess
import sys
from multiprocessing.synchronize import Barrier as BarrierType
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.fernet import Fernet

from app import bootstrap
from app.bootstrap import open_settings, prepare_start
from app.db.engine import Database
from app.db.schema import current_revision, latest_revision
from app.instance import SECRETS_FILE, create_instance, load_secrets
from app.settings import SettingsError
from support.fresh_process import FRESH
from support.polling import PATIENCE_SECONDS
from support.processes import ROOT


def test_a_first_start_needs_no_setting(tmp_path: Path) -> None:
    instance = tmp_path / "deep" / "instance"
    settings = prepare_start({"BORDERPOST_INSTANCE": str(instance)})
    assert settings.public_url == "http://127.0.0.1:8000"
    assert sorted(path.name for path in instance.iterdir()) == ["borderpost.db", SECRETS_FILE]
    database = Database(settings.database_url)
    assert current_revision(database) == latest_revision()
    database.close()
    assert prepare_start({"BORDERPOST_INSTANCE": str(instance)}) == settings


def test_a_start_with_a_wrong_setting_stops_with_all_problems_named(tmp_path: Path) -> None:
    environ = {
        "BORDERPOST_INSTANCE": str(tmp_path),
        "BORDERPOST_THREADS": "0",
        "BORDERPOST_PUBLIC_URL": "nowhere",
    }
    with pytest.raises(SettingsError) as wrong:
        prepare_start(environ)
    assert len(wrong.value.problems) == 2
    assert not (tmp_path / "borderpost.db").exists()


def test_a_start_without_its_embedded_database_stops_with_the_reason(tmp_path: Path) -> None:
    """Break: in `serve`, let `ServiceUnavailable` pass."""
    url = f"sqlite:///{tmp_path}/absent/borderpost.db"
    given = {"BORDERPOST_INSTANCE": str(tmp_path), "BORDERPOST_DATABASE_URL": url}
    ended = subprocess.run(
        [sys.executable, "-c", "import wsgi"],
        env=os.environ | given,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 4
    (line,) = ended.stderr.splitlines()
    assert line.startswith("error: the database cannot be reached or is busy: see BORDERPOST_")
    assert line.endswith("(unable to open database file)")


def test_a_start_does_not_migrate_a_server_database(tmp_path: Path) -> None:
    """Nor does it even ask for it: this one cannot be reached."""
    nowhere = f"postgresql+psycopg://postgres@/borderpost?host={quote(str(tmp_path), safe='')}"
    environ = {"BORDERPOST_INSTANCE": str(tmp_path), "BORDERPOST_DATABASE_URL": nowhere}
    assert prepare_start(environ).database_url == nowhere


def test_where_the_secrets_are_given_the_folder_need_not_be_writable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(bootstrap, "create_instance", refuse)
    environ = {
        "BORDERPOST_INSTANCE": str(tmp_path),
        "BORDERPOST_SECRET_KEY": "0123456789abcdef" * 2,
        "BORDERPOST_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
    }
    assert open_settings(environ).secret_key == "0123456789abcdef" * 2
    del environ["BORDERPOST_SECRET_KEY"]
    with pytest.raises(SettingsError) as wrong:
        open_settings(environ)
    assert wrong.value.problems == [
        f"{tmp_path}: cannot be written: Permission denied",
        "BORDERPOST_SECRET_KEY: is not set: run `borderpost init`, or set it",
    ]


def test_file_in_place_of_the_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "instance").write_text("")
    with pytest.raises(SettingsError) as wrong:
        open_settings({"BORDERPOST_INSTANCE": str(tmp_path / "instance")})
    assert wrong.value.problems[0].startswith(f"{tmp_path}/instance: cannot be written: ")


def test_the_secrets_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    assert create_instance(tmp_path)
    path = tmp_path / SECRETS_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in tmp_path.iterdir()] == [SECRETS_FILE]


def test_a_later_start_changes_no_secret(tmp_path: Path) -> None:
    create_instance(tmp_path)
    made = (tmp_path / SECRETS_FILE).read_bytes()
    assert not create_instance(tmp_path)
    assert (tmp_path / SECRETS_FILE).read_bytes() == made


def test_the_secrets_are_good_ones_and_never_the_same_twice(tmp_path: Path) -> None:
    made = []
    for name in ("a", "b"):
        create_instance(tmp_path / name)
        made.append(load_secrets(tmp_path / name))
    for secrets in made:
        assert secrets.keys() == {"SECRET_KEY", "ENCRYPTION_KEYS"}
        assert len(secrets["SECRET_KEY"]) >= 48
        Fernet(secrets["ENCRYPTION_KEYS"])
    assert not set(made[0].values()) & set(made[1].values())


def test_before_the_first_start_there_are_no_secrets(tmp_path: Path) -> None:
    assert load_secrets(tmp_path) == {}
    assert load_secrets(tmp_path / "nowhere") == {}


def _create(instance: str, start: BarrierType, seen: Any) -> None:
    start.wait(PATIENCE_SECONDS)
    made = create_instance(Path(instance))
    seen.put((made, sorted(load_secrets(Path(instance)).items())))


def test_concurrent_processes_agree_on_the_secrets(tmp_path: Path) -> None:
    start, seen = FRESH.Barrier(2), FRESH.Queue()
    processes = [
        FRESH.Process(target=_create, args=(str(tmp_path / "new"), start, seen)) for _ in range(2)
    ]
    for process in processes:
        process.start()
    found = [seen.get(timeout=PATIENCE_SECONDS) for _ in processes]
    for process in processes:
        process.join(PATIENCE_SECONDS)
        assert process.exitcode == 0
    _check_agreement(tmp_path / "new", found)


def test_concurrent_threads_agree_on_the_secrets(tmp_path: Path) -> None:
    """As processes in containers do, which may all have the same process id."""
    start, seen = FRESH.Barrier(8), Queue[Any]()
    threads = [Thread(target=_create, args=(str(tmp_path / "new"), start, seen)) for _ in range(8)]
    for thread in threads:
        thread.start()
    found = [seen.get(timeout=PATIENCE_SECONDS) for _ in threads]
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    _check_agreement(tmp_path / "new", found)


def _check_agreement(instance: Path, found: list[Any]) -> None:
    assert sum(made for made, _ in found) == 1
    assert len({str(secrets) for _, secrets in found}) == 1
    assert len(found[0][1]) == 2
    assert [path.name for path in instance.iterdir()] == [SECRETS_FILE]
