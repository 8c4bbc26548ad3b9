"""Wiring of settings to engines, providers and clocks."""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace

from app.access.accounts import AccountTokens
from app.access.attempts import Attempts
from app.db.encryption import Cipher
from app.db.engine import Database
from app.db.installation import InstallationSecrets, Pseudonyms
from app.db.schema import current_revision, latest_revision, upgrade
from app.destinations.geo_permissions.check import CheckProvider
from app.destinations.manage import ManageDestinations
from app.guards.alerts import ClearAlerts
from app.guards.autos import AutosOfSends, RefreshAutos
from app.guards.delivery import WatchDelivery
from app.guards.mail import MailAlerts
from app.guards.manage import ManageGuards
from app.guards.purge import PurgeGuards
from app.guards.watchers import WatchInstallation, WatchOthers
from app.instance import create_instance
from app.kernel.clock import Clock
from app.kernel.errors import ServiceUnavailable
from app.kernel.rates import RateBuckets
from app.messages.charges import CollectCharges
from app.messages.delivery.track import ReceiveReport, TrackDelivery
from app.messages.history import GuardHistory, MessageTraffic
from app.messages.reconciliation.reconcile import Reconcile
from app.messages.reconciliation.resend import Resend
from app.messages.retention.expire import ExpireMessages
from app.messages.retention.partitions import CreatePartitions
from app.messages.retention.purge import Purge
from app.messages.sending.open_submission import OpenGuarded
from app.messages.sending.send import InFlight, SendMessage
from app.messages.statistics.aggregate import AggregateMessages
from app.providers.ngrok import public_url_of_agent
from app.providers.port import Callbacks, ErrorCodes, GeoFacts, Provider
from app.providers.twilio.adapter import open_twilio
from app.providers.twilio.callbacks import routes as provider_routes
from app.providers.twilio.transport import TwilioTransport
from app.settings import NGROK, Settings, SettingsError, default_instance, load_settings
from app.tenancy.manage import ManageWorkspaces
from app.tracing import TracedProvider, is_wanted
from app.use_cases.consent import RecordConsent
from app.use_cases.refresh import RefreshRegistrations
from app.users.caller import KnownBrowserCookie
from app.users.identity_sign_in import IdentitySignIn
from app.users.own_account import OwnAccount
from app.users.sessions import PurgeSessions
from app.users.sign_in import SignIn
from app.web.health import MetricsToken
from app.webhooks.claims import DeliveryLane
from app.webhooks.deliver import DeliverWebhooks, SendTestEvent
from app.webhooks.endpoints import ManageEndpoints
from app.webhooks.outbox import PurgeWebhooks
from app.webhooks.sender import HttpSender
from app.worker.housekeeping import DailyCheck, HourlyMonths, HourlyPurge
from app.worker.loop import Task
from app.worker.web_watch import WatchFromWeb

# Threads reserved for other requests, so that callbacks are served while the provider is slow.
_FOR_CALLBACKS = 4
_HOUR = 3600.0
PROVIDER_ROUTES = provider_routes


@dataclass(frozen=True, slots=True)
class Services:
    settings: Settings
    database: Database
    clock: Clock
    send: SendMessage
    callbacks: Callbacks
    error_codes: ErrorCodes
    geo_facts: GeoFacts
    destinations: ManageDestinations
    guards: ManageGuards
    check_provider: CheckProvider
    workspaces: ManageWorkspaces
    webhook_endpoints: ManageEndpoints
    send_test_event: SendTestEvent
    refresh_registrations: RefreshRegistrations
    metrics_token: MetricsToken
    attempts: Attempts
    rates: RateBuckets
    known_browsers: KnownBrowserCookie
    sign_in: SignIn
    identity_sign_in: IdentitySignIn
    own_account: OwnAccount
    cipher: Cipher
    installation_secrets: InstallationSecrets
    watch: WatchFromWeb

    def all(self) -> tuple[object, ...]:
        """Views get them by type."""
        return tuple(getattr(self, field.name) for field in fields(self))


def open_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings; generate missing secrets. Raises `SettingsError`."""
    environ = os.environ if environ is None else environ
    instance = default_instance(environ)
    try:
        create_instance(instance)
    except OSError as unwritable:  # no problem if every secret is given
        try:
            return load_settings(environ, instance)
        except SettingsError as wrong:
            first = f"{instance}: cannot be written: {unwritable.strerror}"
            raise SettingsError([first, *wrong.problems]) from unwritable
    return load_settings(environ, instance)


def open_database(settings: Settings) -> Database:
    return Database(
        settings.database_url, pool_size=settings.threads, is_pooled=settings.is_database_pooled
    )


def open_cipher(settings: Settings) -> Cipher:
    return Cipher(settings.encryption_keys)


def open_installation_secrets(settings: Settings) -> InstallationSecrets:
    return InstallationSecrets(settings.secret_key, open_cipher(settings))


def open_provider(settings: Settings, cipher: Cipher, other_calls: int | None = None) -> Provider:
    transport = TwilioTransport(
        settings.twilio_url, pool_size=settings.threads, other_calls=other_calls
    )
    return open_twilio(transport, cipher, settings.public_url)


def open_services(
    settings: Settings,
    *,
    clock: Clock | None = None,
    provider: Provider | None = None,
    cipher: Cipher | None = None,
    database: Database | None = None,
) -> Services:
    clock = clock or Clock()
    database = database or open_database(settings)
    cipher = cipher or open_cipher(settings)
    provider = provider or open_provider(settings, cipher, _FOR_CALLBACKS // 2)
    sms = TracedProvider(provider.sms) if is_wanted() else provider.sms
    attempts = Attempts(database, clock)
    known_browsers = KnownBrowserCookie(settings.secret_key)
    sign_in = SignIn(database, cipher, clock, attempts, known_browsers)
    secrets = InstallationSecrets(settings.secret_key, cipher)
    pseudonyms = Pseudonyms(database, secrets)
    in_flight = InFlight(max(1, settings.threads - _FOR_CALLBACKS))
    guarded = OpenGuarded(database, pseudonyms, AutosOfSends(database, GuardHistory()))
    return Services(
        settings=settings,
        database=database,
        clock=clock,
        send=SendMessage(database, sms, clock, in_flight, guarded),
        error_codes=provider.codes,
        geo_facts=provider.geo.facts,
        callbacks=Callbacks(
            settings.public_url,
            AccountTokens(database, cipher, clock),
            ReceiveReport(TrackDelivery(database, clock)),
            RecordConsent(database, clock),
        ),
        destinations=ManageDestinations(database, clock, MessageTraffic()),
        guards=ManageGuards(database, clock, GuardHistory(), pseudonyms),
        check_provider=CheckProvider(database, provider.geo, clock),
        workspaces=ManageWorkspaces(database, cipher, clock, provider.prover),
        webhook_endpoints=ManageEndpoints(database, cipher, clock, settings.webhook_allow_loopback),
        send_test_event=SendTestEvent(
            database, cipher, clock, HttpSender(allow_loopback=settings.webhook_allow_loopback)
        ),
        refresh_registrations=RefreshRegistrations(database, provider.registrations, clock),
        metrics_token=MetricsToken(settings.metrics_token),
        attempts=attempts,
        rates=RateBuckets(settings.instance),
        known_browsers=known_browsers,
        sign_in=sign_in,
        identity_sign_in=IdentitySignIn(sign_in),
        own_account=OwnAccount(database, cipher, clock, attempts),
        cipher=cipher,
        installation_secrets=secrets,
        watch=WatchFromWeb(
            database,
            clock,
            socket.gethostname(),
            WatchInstallation(database, clock),
            MailAlerts(database, clock, settings.mail, settings.public_url),
            RefreshAutos(database, clock, GuardHistory()),
        ),
    )


@dataclass(frozen=True, slots=True)
class Background:
    """The services of the worker, and its tasks with their pauses."""

    clock: Clock
    reconcile: Reconcile
    charges: CollectCharges
    purge: HourlyPurge
    tasks: tuple[Task, ...]


def open_background(settings: Settings, database: Database) -> Background:
    """Raises `SecretsDiffer`."""
    clock, cipher = Clock(), open_cipher(settings)
    pseudonym_key = open_installation_secrets(settings).load_pseudonym_key(database)
    provider = open_provider(settings, cipher)
    charges = CollectCharges(database, provider.messages, clock)
    track, resend = TrackDelivery(database, clock), Resend(database, provider.sms, clock)
    reconcile = Reconcile(database, provider.messages, track, resend, clock)
    purge = HourlyPurge(
        Purge(database, clock, pseudonym_key),
        PurgeWebhooks(database, clock),
        PurgeSessions(database, clock),
        ExpireMessages(database, clock, settings.message_retention_days),
        PurgeGuards(database, clock),
    )
    check = DailyCheck(database, clock, CheckProvider(database, provider.geo, clock))
    mail_alerts = MailAlerts(database, clock, settings.mail, settings.public_url)
    sender = HttpSender(allow_loopback=settings.webhook_allow_loopback)
    deliver = DeliverWebhooks(database, cipher, clock, sender, DeliveryLane.HEALTHY)
    # Retries have their own threads, so that failing receivers do not delay others.
    deliver_again = replace(deliver, lane=DeliveryLane.FAILING)
    tasks = (
        Task("settle", reconcile.settle_once, 1),
        Task("repair", reconcile.repair_once, 1),
        Task("charges", charges.run_once, 60),
        Task("counters", AggregateMessages(database, clock).run_once, 10),
        Task("webhooks", deliver.run_once, 1),
        Task("webhooks-again", deliver_again.run_once, 1),
        Task("purge", purge.run_once, _HOUR, _HOUR),
        Task("alerts", ClearAlerts(database, clock).run_once, 10),
        Task("alert-mail", mail_alerts.run_once, 10),
        Task("delivery", WatchDelivery(database, clock, GuardHistory()).run_once, 25),
        Task("watchers", WatchOthers(database, clock, provider.geo.facts).run_once, 25),
        Task("installation", WatchInstallation(database, clock).run_once, 25),
        Task("auto-limits", RefreshAutos(database, clock, GuardHistory()).run_once, 60),
        Task("months", HourlyMonths(CreatePartitions(database, clock)).run_once, _HOUR, _HOUR),
        Task("geo-check", check.run_once, 600, _HOUR),
    )
    return Background(clock, reconcile, charges, purge, tasks)


def prepare_start(environ: Mapping[str, str] | None = None) -> Settings:
    """Prepare a start: settings, public URL and embedded database.

    Only `borderpost db upgrade` migrates a server database. Raises `SettingsError`.
    """
    settings = with_public_url(open_settings(environ))
    database = open_database(settings)
    migrate_if_new(settings, database)
    # Forked processes inherit the measurement; an unreachable database is measured later.
    with suppress(ServiceUnavailable):
        database.measure_clock()
        if current_revision(database) == latest_revision():
            open_installation_secrets(settings).prepare(database)
    database.close()
    return settings


def with_public_url(settings: Settings) -> Settings:
    """Replace ``ngrok`` by the address of the local agent; raises `SettingsError`."""
    if settings.public_url != NGROK:
        return settings
    return replace(settings, public_url=public_url_of_agent())


def migrate_if_new(settings: Settings, database: Database) -> None:
    """Create the tables of an empty embedded database."""
    if settings.is_embedded and current_revision(database) is None:
        upgrade(database)
