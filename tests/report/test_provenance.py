"""Where numbers come from."""

from __future__ import annotations

import os
import subprocess

import pytest
import torch

import semanir_arch
from semanir_arch.report import provenance


@pytest.fixture(autouse=True)
def _forgetful():
    provenance.find_commit.cache_clear()
    yield
    provenance.find_commit.cache_clear()


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository of one commit and one tag, in place of ours."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(provenance, "_ROOT", tmp_path)
    identity = ("-c", "user.name=x", "-c", "user.email=x@y")

    def git(*arguments):
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    if not os.access("/usr/bin/git", os.X_OK):
        pytest.skip("git is not installed")
    git("init", "-q")
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-qm", "first")
    git("tag", "v1")
    return git


def test_the_commit_is_the_whole_hash_also_of_a_tagged_one(checkout):
    assert provenance.find_commit() == checkout("rev-parse", "HEAD")


def test_changed_files_are_said(checkout, tmp_path):
    (tmp_path / "file").write_text("2")
    assert provenance.find_commit() == checkout("rev-parse", "HEAD") + "-dirty"


def test_an_installed_package_has_no_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "_ROOT", tmp_path)
    assert provenance.find_commit() is None


def test_without_git_there_is_no_commit(checkout, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert provenance.find_commit() is None


def test_a_broken_repository_has_no_commit(tmp_path, monkeypatch):
    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(provenance, "_ROOT", tmp_path)
    assert provenance.find_commit() is None


def test_versions_and_threads_are_those_of_this_process():
    versions = provenance.list_versions()
    assert versions["torch"] == torch.__version__
    assert versions["semanir_arch"] == semanir_arch.__version__
    facts = provenance.describe_computer("cpu")
    assert facts["threads"] == torch.get_num_threads()
    assert facts["precision"] == "fp32"
    assert facts["device"]
