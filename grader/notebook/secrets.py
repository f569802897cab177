"""Where a notebook's client finds its server and token: never printed, never in a repr.

What is given comes first, then the environment, then the secrets of Colab or Kaggle under the same
names (GRADER_SERVER, GRADER_TOKEN, GRADER_COURSE), then the file of `grader login`.
"""

from __future__ import annotations

from grader.client.config import KEYS, Config, config_path, of_environment, of_file
from grader.errors import AuthError
from grader.words.message import said


def known(given: Config) -> Config:
    """The given values, filled up from the places above.

    Raises:
        AuthError: Colab keeps the secret, but not for this notebook.
        ConfigDamaged: the file of `grader login` is not valid.
    """
    found = given.or_else(of_environment())
    if not found.server or not found.token:
        found = found.or_else(_of_secrets())
    if not found.server or not found.token:
        found = found.or_else(of_file(config_path()))
    return found


def _of_secrets() -> Config:
    return Config(**{key: _secret(f"GRADER_{key.upper()}") for key in KEYS})


def _secret(name: str) -> str | None:
    return _of_colab(name) or _of_kaggle(name)


def _of_colab(name: str) -> str | None:
    try:
        from google.colab import userdata
    except ImportError:
        return None
    try:
        return str(userdata.get(name))
    except userdata.SecretNotFoundError:
        return None
    except userdata.NotebookAccessError as error:
        raise AuthError(said("exchange.secret_closed", name=name)) from error


def _of_kaggle(name: str) -> str | None:
    try:
        import kaggle_secrets
    except ImportError:
        return None
    try:
        return str(kaggle_secrets.UserSecretsClient().get_secret(name))
    except (kaggle_secrets.BackendError, kaggle_secrets.CredentialError):
        return None  # Kaggle says the same of a secret that is not there and of one not attached
