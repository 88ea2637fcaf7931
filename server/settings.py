"""Settings, read from the environment; the defaults are the safe ones for production.

`make run` turns DEBUG on. docs/operations.md lists every variable.
"""

from datetime import timedelta
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

from server import environment, headers, postgres
from server.private_files import make_private, touch_private
from server.redis_keys import channel_layer_keys
from server.secrets import demo_secret_key

BASE_DIR = Path(__file__).resolve().parent.parent
# What this installation writes: database, demo key, sockets. Never committed.
VAR_DIR = BASE_DIR / "var"

env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")

DEBUG = env.bool("DEBUG", default=False)
# No key in the code: production must bring its own, a demo makes one for itself.
SECRET_KEY = env("SECRET_KEY", default="").strip() or (demo_secret_key(VAR_DIR) if DEBUG else "")
if not SECRET_KEY:
    # Django itself would start, and answer every page with an error.
    raise ImproperlyConfigured(
        "SECRET_KEY is not set. Give it 50 random characters that nobody else has; they sign "
        "sessions (docs/operations.md)."
    )
# Former ones, which still open sessions and messages in Redis, and sign nothing.
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
# Whether a server looks at its settings and its database before it starts.
CHECK_AT_START = env.bool("CHECK_AT_START", default=True)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    # First: its `runserver` leaves static files to the middleware, with every page's headers.
    "servestatic",
    "daphne",  # its `runserver` replaces Django's, which knows no sockets
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "channels",
    "csp",
    "django_filters",
    "graphene_django",
    "live",
    "patients",
    "careteam",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "server.headers.permissions_policy",
    "server.static_files.StaticFiles",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "server.unavailable.DatabaseAway",
    "axes.middleware.AxesMiddleware",  # last: it answers for a log-in form that is locked
]

ROOT_URLCONF = "server.urls"
ASGI_APPLICATION = "server.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Database -----------------------------------------------------------------

DATABASES = {
    "default": environment.database(env, "DATABASE_URL", f"sqlite:///{VAR_DIR}/wardcast.sqlite3")
}
# Empty: none of them, as a connection pooler may need it.
postgres.with_options(DATABASES["default"], env("POSTGRES_OPTIONS", default=postgres.OPTIONS))
DATABASES["default"]["CONN_MAX_AGE"] = env.int("CONN_MAX_AGE", default=60)
# SQLite's connection cannot go away: there, the check would be a query for nothing.
DATABASES["default"]["CONN_HEALTH_CHECKS"] = "sqlite" not in DATABASES["default"]["ENGINE"]
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    database_file = Path(DATABASES["default"]["NAME"])
    if database_file.parent == VAR_DIR:
        make_private(VAR_DIR)
    touch_private(database_file)
    DATABASES["default"]["OPTIONS"] = {
        # A writer takes its lock when it begins: two that only meant to read
        # first would otherwise fail with "database is locked" at once.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        # WAL lets readers go on while one writes.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
    # A file, since an in-memory database is not shared between the threads of a test.
    DATABASES["default"]["TEST"] = {
        "NAME": env("TEST_SQLITE", default=str(VAR_DIR / "test.sqlite3"))
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Bodies -------------------------------------------------------------------

# Of a request: ten times what the admin's largest form has. Files come in parts, by GraphQL.
DATA_UPLOAD_MAX_MEMORY_SIZE = env.int("MAX_BODY_BYTES", default=1_048_576)

# --- Live ---------------------------------------------------------------------

REDIS_URL = env("REDIS_URL", default="")
ENCRYPT_REDIS = env.bool("ENCRYPT_REDIS", default=True)
CHANNEL_LAYERS = {
    "default": (
        {
            "BACKEND": "live.log.redis_layer.RedisLayer",
            "CONFIG": {
                "hosts": [REDIS_URL],
                # Nothing readable or forgeable goes through Redis, unless somebody asks for it.
                "symmetric_encryption_keys": (
                    channel_layer_keys(SECRET_KEY, *SECRET_KEY_FALLBACKS) if ENCRYPT_REDIS else None
                ),
            },
        }
        if REDIS_URL
        else {
            "BACKEND": "live.log.local_layer.LocalChannelLayer",
            # Beyond its capacity the hub reads the log, which is slower than being told.
            "CONFIG": {
                "namespace": str(DATABASES["default"]["NAME"]),
                "capacity": 1000,
            },
        }
    )
}
LIVE = environment.json_object(env, "LIVE")

# --- Imports in the background ------------------------------------------------

CELERY_BROKER_URL = REDIS_URL or "memory://"
# Without Redis there are no workers: a thread of the server runs its imports.
CELERY_TASK_ALWAYS_EAGER = not REDIS_URL
CELERY_TASK_DEFAULT_QUEUE = "wardcast"
CELERY_TASK_IGNORE_RESULT = True
# A task takes minutes: one that is fetched ahead would wait behind it beside an idle worker.
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# Directories are imported from below this one only; none without it. A demo has a sample.
IMPORT_ROOT = env("IMPORT_ROOT", default=str(BASE_DIR / "patients/samples") if DEBUG else "")
# Of one import's uploaded files; they wait in the database for their worker.
IMPORT_MAX_UPLOAD_BYTES = env.int("IMPORT_MAX_UPLOAD_BYTES", default=50_000_000)
# Without a sign of life for so long an import counts as interrupted. A batch, between two
# signs, takes some tenths of a second; SQLite waits 20 s for a lock.
IMPORT_SILENCE_SECONDS = env.float("IMPORT_SILENCE_SECONDS", default=60)
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # Whoever starts an import waits for the broker, and is told if it is away.
    "socket_connect_timeout": 5,
    # After so long another worker is given what a lost machine had; it leaves alone what is
    # still in hand. Longer than a retry waits, else copies of its message would pile up.
    "visibility_timeout": 5 * IMPORT_SILENCE_SECONDS,
}

# --- Care team ----------------------------------------------------------------

CARETEAM = {
    "ROOM_ACCESS": "server.rooms.closed_rooms",
    # The demo's: for a first try before one has logged in.
    "ANONYMOUS_ROOMS": ["kittens"] if DEBUG else [],
    **environment.json_object(env, "CARETEAM"),
}

GRAPHENE = {"SCHEMA": "server.schema.schema"}

# --- Who is there -------------------------------------------------------------

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "graphql"
LOGOUT_REDIRECT_URL = "graphql"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",  # first: it refuses before a password is looked at
    "django.contrib.auth.backends.ModelBackend",
]
SESSION_ENGINE = "server.sessions"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env.bool("SECURE_COOKIES", default=not DEBUG)
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=not DEBUG)
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=0 if DEBUG else 31_536_000)
# They bind hosts that are not this server's: a hospital decides on them for all of its own.
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("SECURE_HSTS_INCLUDE_SUBDOMAINS", default=False)
SECURE_HSTS_PRELOAD = env.bool("SECURE_HSTS_PRELOAD", default=False)
CONTENT_SECURITY_POLICY = {"DIRECTIVES": headers.EVERY_PAGE}
CSRF_FAILURE_VIEW = "server.views.csrf_failure"
if env.bool("BEHIND_TLS_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# --- Failed log-ins -------------------------------------------------------------

# How many failures within the cool-off time are too many; 0 is no limit.
LOGIN_FAILURE_LIMITS = {
    # Of one user from one address: more than tired fingers need, 20 guesses an hour.
    ("username", "ip_address"): max(1, env.int("LOGIN_FAILURES_PER_PAIR", default=5)),
    # From one address, against a few passwords tried on everybody: a hospital behind one
    # address mistypes less at a change of shifts.
    ("ip_address",): env.int("LOGIN_FAILURES_PER_ADDRESS", default=100),
    # Of one user from everywhere: 100 guesses an hour, the most that OWASP's ASVS 4.0.3
    # allows (2.2.1). One address gets no further than 5, so it locks nobody out elsewhere.
    ("username",): env.int("LOGIN_FAILURES_PER_USER", default=25),
}
AXES_LOCKOUT_PARAMETERS = [list(parameters) for parameters in LOGIN_FAILURE_LIMITS]
AXES_FAILURE_LIMIT = LOGIN_FAILURE_LIMITS["username", "ip_address"]
# Short enough that a ward gets by without an administrator at night.
AXES_COOLOFF_TIME = timedelta(minutes=env.int("LOGIN_COOL_OFF_MINUTES", default=15))
# A lock ends when its page says, also for a program that goes on with an old password.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_HANDLER = "live.identity.login_failures.LoginThrottle"
AXES_USERNAME_CALLABLE = "live.identity.login_failures.attempted_name"
AXES_CLIENT_IP_CALLABLE = "live.identity.address.client_address"
AXES_LOCKOUT_CALLABLE = "live.identity.login_throttle.lockout_response"
# Successful log-ins would be kept for ever, with everybody's address.
AXES_DISABLE_ACCESS_LOG = True
# Log lines have the address, which a firewall may read, and neither name nor browser.
AXES_VERBOSE = False
AXES_SENSITIVE_PARAMETERS = ["username"]
# How many proxies of yours a request passes, each appending to X-Forwarded-For. With 0
# behind one, all clients share its address, and one limit.
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)

# --- Languages, files, logs ---------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("fr", "Français")]
LOCALE_PATHS = [BASE_DIR / "server" / "locale"]
TIME_ZONE = env("TIME_ZONE", default="UTC")
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = Path(env("STATIC_ROOT", default=str(BASE_DIR / "staticfiles")))
GRAPHIQL_DIST = BASE_DIR / "templates" / "graphene" / "dist"
STATICFILES_DIRS: list[Path | tuple[str, Path]] = [BASE_DIR / "server" / "static"]
if GRAPHIQL_DIST.is_dir():
    STATICFILES_DIRS.append(("graphene", GRAPHIQL_DIST))
# A demo serves files as they are in the source tree, since nobody has collected them.
SERVESTATIC_USE_FINDERS = DEBUG
# All that is there, not only what the manifest names: a page that was opened before an update
# still loads parts of the release before.
SERVESTATIC_USE_STATIC_ROOT = not DEBUG
SERVESTATIC_USE_MANIFEST = False
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "servestatic.storage.CompressedManifestStaticFilesStorage"
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"without_query": {"()": "server.logs.WithoutQueryString"}},
    "formatters": {
        "line": {
            "()": "server.logs.FramesOnly",
            "format": "{asctime} {levelname} {name}: {message}",
            "style": "{",
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {
        # The access log of `runserver`.
        "django.channels.server": {
            "handlers": ["console"],
            "filters": ["without_query"],
            "propagate": False,
        },
        # Below, it writes a line with the address for every log-in.
        "axes": {"level": "WARNING"},
        # A traceback a second while Redis is away; the hub says so, once.
        "channels_redis": {"level": "CRITICAL"},
    },
    "root": {"handlers": ["console"], "level": env("LOG_LEVEL", default="INFO")},
}
