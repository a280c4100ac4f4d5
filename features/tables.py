"""The feeds and their contracts: what each department delivers, and what it cannot tell.

A contract is a dataframely schema: columns with types, ranges, allowed values and units, rules
across columns, and a primary key. Three conventions hold in every table:

- money is in whole fen (1 yuan = 100 fen), so sums are exact and their order does not matter;
- ``known_on`` is the first day (Asia/Shanghai) on whose morning the bank had the row; what arrives
  during a day is known on the next one;
- a restatement is a new row with the same key and a later ``known_on``, never an edit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import dataframely as dy
import polars as pl
from stdnum.cn import uscc

LEGAL_FORMS = ("company", "household", "sole_proprietorship", "partnership", "cooperative")
STATUSES = ("operating", "suspended", "moved_out", "revoked", "cancelled")
EVENTS = (
    "abnormal_listed",
    "abnormal_removed",
    "penalty",
    "legal_representative_changed",
    "shareholder_changed",
    "address_changed",
    "capital_increased",
    "capital_reduced",
    "judgment_debtor",
    "annual_report_missed",
)
GRADES = ("A", "B", "M", "C", "D")
SERVICES = ("electricity", "water", "gas")
PURPOSES = ("stock", "raw_materials", "wages_rent", "equipment", "other")
REPAYMENT_FORMS = ("bullet", "instalment")
LOAN_STATES = ("performing", "repaid", "renewed", "deferred", "written_off", "guarantee_paid")


ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)


@lru_cache(maxsize=1 << 20)  # the same businesses come in every table
def is_credit_code(code: str) -> bool:
    """Whether ``code`` is a unified social credit code (GB 32100-2015).

    Both check digits must agree: the last one, and that of the organisation code within (GB 11714).
    """
    plain = len(code) == 18 and code.isascii() and code.isalnum() and code == code.upper()
    return plain and uscc.is_valid(code) and code[16] == _organisation_check(code[8:16])


def _organisation_check(signs: str) -> str:
    """Check digit of the eight signs of an organisation code, where A counts 10 (GB 11714)."""
    total = sum(int(s, 36) * weight for s, weight in zip(signs, ORGANISATION_WEIGHTS, strict=True))
    return "0123456789X"[-total % 11]


def _credit_codes_hold(codes: pl.Expr) -> pl.Expr:
    """True where the code is valid; each distinct code is verified once."""

    def verify(column: pl.Series) -> pl.Series:
        distinct = column.unique().drop_nulls()
        valid = distinct.filter(
            pl.Series([is_credit_code(code) for code in distinct], dtype=pl.Boolean)
        )
        return column.is_in(valid.implode())

    return codes.map_batches(verify, return_dtype=pl.Boolean, is_elementwise=True)


def _business(*, primary_key: bool = True, nullable: bool = False) -> dy.String:
    return dy.String(
        primary_key=primary_key,
        nullable=nullable,
        check={"credit_code": _credit_codes_hold},
        description="Unified social credit code of the business (GB 32100-2015)",
    )


def _known_on() -> dy.Date:
    return dy.Date(primary_key=True, description="First day on whose morning the bank had this row")


def _day(description: str, *, nullable: bool = False, primary_key: bool = False) -> dy.Date:
    return dy.Date(description=description, nullable=nullable, primary_key=primary_key)


def _month(description: str = "First day of the month the row speaks of") -> dy.Date:
    return dy.Date(primary_key=True, resolution="1mo", description=description)


def _fen(description: str, *, nullable: bool = False, minimum: int | None = 0) -> dy.Int64:
    return dy.Int64(
        min=minimum,
        max=10**14,
        nullable=nullable,
        description=description,
        metadata={"unit": "fen"},
    )


def _count(description: str, unit: str = "count") -> dy.Int64:
    return dy.Int64(min=0, max=10**9, description=description, metadata={"unit": unit})


def _percentile(what: str) -> dy.Int64:
    return dy.Int64(
        min=0,
        max=99,
        nullable=True,
        description=f"Of a hundred businesses compared, those with less {what}",
        metadata={"unit": "of 100"},
    )


class Registrations(dy.Schema):
    """State of a business in the market-regulation register, one row per change.

    Cannot tell: whether the business still trades (formal exit lags real exit by months), nor
    whether the declared industry is the real one (about one in ten is wrong or too general).
    """

    business_id = _business()
    effective_on = _day("Day from which this state holds; may be backdated by the register")
    established_on = _day("Day of establishment; null where the register is silent", nullable=True)
    legal_form = dy.Enum(LEGAL_FORMS, description="Legal form")
    status = dy.Enum(STATUSES, description="State of operation")
    industry = dy.String(
        nullable=True,
        regex=r"^[A-T][0-9]{2}$",
        description="GB/T 4754 section and division, as C18",
    )
    district = dy.String(
        nullable=True, regex=r"^[0-9]{6}$", description="GB/T 2260 division code, as 330502"
    )
    registered_capital_fen = _fen("Registered (subscribed) capital", nullable=True)
    owner_sex = dy.Enum(
        ("female", "male"),
        nullable=True,
        description="Sex of the owner, for fairness tests only",
        metadata={"sensitive": True},
    )
    owner_is_local = dy.Bool(
        nullable=True,
        description="Owner registered in this city, for fairness tests only",
        metadata={"sensitive": True},
    )
    known_on = _known_on()

    @dy.rule()
    def established_before_known(cls) -> pl.Expr:
        established = cls.established_on.col
        return established.is_null() | (established <= cls.known_on.col)

    @dy.rule()
    def effective_before_known(cls) -> pl.Expr:
        return cls.effective_on.col <= cls.known_on.col


def _phone_hash() -> dy.String:
    return dy.String(
        nullable=True,
        regex=r"^[0-9a-f]{16,64}$",
        description="Keyed hash of the telephone number, under one key for all departments",
    )


class RegisteredNames(dy.Schema):
    """Names under which a business can be found, one row per change; they serve linking alone.

    Cannot tell: the name over the door, nor where else the business works. No feature reads it.
    """

    business_id = _business()
    effective_on = _day("Day from which this name and address hold")
    name = dy.String(min_length=1, max_length=200, description="Registered name")
    representative = dy.String(
        nullable=True, max_length=100, description="Legal representative or operator"
    )
    address = dy.String(nullable=True, max_length=300, description="Registered address")
    phone_hash = _phone_hash()
    known_on = _known_on()

    @dy.rule()
    def effective_before_known(cls) -> pl.Expr:
        return cls.effective_on.col <= cls.known_on.col


class RegistrationEvents(dy.Schema):
    """Events in the register: abnormal-operation list in and out, penalties, changes, court debts.

    Cannot tell: how serious a penalty was beyond its amount, nor events of other jurisdictions;
    court records arrive one to three months after the judgment.
    """

    business_id = _business()
    event = dy.Enum(EVENTS, primary_key=True, description="Kind of event")
    happened_on = _day("Day of the event", primary_key=True)
    amount_fen = _fen("Amount of a penalty, judgment or capital change", nullable=True)
    known_on = _known_on()

    @dy.rule()
    def happened_before_known(cls) -> pl.Expr:
        return cls.happened_on.col <= cls.known_on.col


class TaxReturns(dy.Schema):
    """Returns by business, tax and period, with due and filed dates and amendments.

    A return that was due and is missing is a row with ``filed_on`` null. Cannot tell: sales that
    were never declared; under assessed levy the figure is a fixed sum, not the real sales.
    """

    business_id = _business()
    tax = dy.Enum(("vat", "income"), primary_key=True, description="Kind of tax")
    period = _month("First day of the period")
    months = dy.Int64(
        is_in=(1, 3, 12), description="Length of the period", metadata={"unit": "months"}
    )
    amendment = dy.Int64(primary_key=True, min=0, max=99, description="0 is the original return")
    levy = dy.Enum(
        ("actual", "assessed"), description="Levied on accounts, or a fixed assessed sum"
    )
    due_on = _day("Day the return is due")
    filed_on = _day("Day it was filed; null while it is missing", nullable=True)
    sales_fen = _fen("Declared sales of the period, net of VAT", nullable=True)
    tax_due_fen = _fen("Tax due for the period", nullable=True)
    tax_paid_fen = _fen("Of it paid by the day before known_on", nullable=True)
    known_on = _known_on()

    @dy.rule()
    def due_after_period(cls) -> pl.Expr:
        return cls.due_on.col >= cls.period.col.dt.offset_by("1mo")

    @dy.rule()
    def filed_before_known(cls) -> pl.Expr:
        return cls.filed_on.col.is_null() | (cls.filed_on.col <= cls.known_on.col)

    @dy.rule()
    def filed_after_period_began(cls) -> pl.Expr:
        return cls.filed_on.col.is_null() | (cls.filed_on.col > cls.period.col)

    @dy.rule()
    def figures_only_when_filed(cls) -> pl.Expr:
        return cls.filed_on.col.is_null() == cls.sales_fen.col.is_null()


class TaxGrades(dy.Schema):
    """Yearly tax credit grade, published each April for the year before.

    Cannot tell: anything of most individual households, which are ungraded by rule (that is a
    category of its own, not missing data).
    """

    business_id = _business()
    year = dy.Int64(primary_key=True, min=2014, max=2100, description="Year the grade judges")
    grade = dy.Enum(GRADES, description="A best, D worst; M is new or without revenue")
    known_on = _known_on()

    @dy.rule()
    def known_after_its_year(cls) -> pl.Expr:
        return cls.known_on.col.dt.year().cast(pl.Int64) > cls.year.col


class Invoices(dy.Schema):
    """Monthly totals of VAT invoices issued (sales) and received (purchases).

    Cannot tell: sales without an invoice (most of retail and catering). Fully digital invoices
    cannot be voided, only red-lettered: voids end and red letters jump between 2022 and 2024.
    """

    business_id = _business()
    direction = dy.Enum(("sales", "purchases"), primary_key=True, description="Issued or received")
    period = _month()
    invoices = _count("Valid invoices with a positive amount")
    amount_fen = _fen("Their net amount")
    red_letters = _count("Red-letter (negative) invoices")
    red_letter_fen = _fen("Their net amount, as a positive figure")
    voids = _count("Voided invoices")
    counterparties = _count("Distinct customers (suppliers) with a valid positive invoice")
    largest_counterparty_fen = _fen("Net amount of the largest of them")
    known_on = _known_on()

    @dy.rule()
    def largest_within_total(cls) -> pl.Expr:
        return cls.largest_counterparty_fen.col <= cls.amount_fen.col

    @dy.rule()
    def known_after_month(cls) -> pl.Expr:
        return cls.known_on.col >= cls.period.col.dt.offset_by("1mo")


class Meters(dy.Schema):
    """Accounts of the utility: the name, address and telephone they are kept under.

    Cannot tell: who uses the power behind a landlord's meter. Few utilities hold credit codes:
    where ``business_id`` is null, ingest links the account to a business by its name, address and
    telephone.
    """

    meter_id = dy.String(
        primary_key=True, min_length=1, max_length=40, description="Account number"
    )
    service = dy.Enum(SERVICES, description="What is metered")
    account_name = dy.String(min_length=1, max_length=200, description="Name on the account")
    address = dy.String(min_length=1, max_length=300, description="Address of supply")
    phone_hash = _phone_hash()
    business_id = _business(primary_key=False, nullable=True)
    from_on = _day("First day of the account", primary_key=True)
    to_on = _day("Last day of the account; null while it runs", nullable=True)
    known_on = _known_on()

    @dy.rule()
    def ends_after_it_began(cls) -> pl.Expr:
        return cls.to_on.col.is_null() | (cls.to_on.col >= cls.from_on.col)

    @dy.rule()
    def began_before_known(cls) -> pl.Expr:
        return cls.from_on.col <= cls.known_on.col


class UtilityBills(dy.Schema):
    """Bills per meter and month. A payment is a restatement of its bill.

    Cannot tell: consumption behind the meter of somebody else; an estimated reading is corrected by
    the next real one.
    """

    meter_id = dy.String(
        primary_key=True, min_length=1, max_length=40, description="Account number"
    )
    period = _month()
    quantity = dy.Int64(
        min=0, max=10**9, description="Consumption", metadata={"unit": "kWh (electricity) or m³"}
    )
    estimated = dy.Bool(description="Estimated, not read")
    amount_fen = _fen("Amount billed")
    billed_on = _day("Day of the bill")
    due_on = _day("Day it is due")
    paid_on = _day("Day it was paid in full; null while it is open", nullable=True)
    known_on = _known_on()

    @dy.rule()
    def billed_before_known(cls) -> pl.Expr:
        return cls.billed_on.col <= cls.known_on.col

    @dy.rule()
    def billed_after_month(cls) -> pl.Expr:
        return cls.billed_on.col >= cls.period.col.dt.offset_by("1mo")

    @dy.rule()
    def due_after_billed(cls) -> pl.Expr:
        return cls.due_on.col >= cls.billed_on.col

    @dy.rule()
    def paid_before_known(cls) -> pl.Expr:
        return cls.paid_on.col.is_null() | (
            (cls.paid_on.col <= cls.known_on.col) & (cls.paid_on.col >= cls.billed_on.col)
        )


class Applications(dy.Schema):
    """Applications for a loan, with what the bank decided then.

    Cannot tell: why an applicant withdrew, nor what became of those who were declined.
    """

    application_id = dy.String(
        primary_key=True, min_length=1, max_length=64, description="Application"
    )
    business_id = _business(primary_key=False)
    applied_at = dy.Datetime(
        time_zone="UTC", time_unit="us", description="Moment of the application"
    )
    amount_fen = _fen("Amount asked for", minimum=1)
    term_months = dy.Int64(min=1, max=120, description="Term", metadata={"unit": "months"})
    purpose = dy.Enum(PURPOSES, description="What the money is for")
    repayment = dy.Enum(
        REPAYMENT_FORMS, description="Interest monthly and bullet, or equal instalments"
    )
    outcome = dy.Enum(
        ("granted", "declined", "withdrawn"),
        nullable=True,
        description="What the bank decided then",
    )
    granted_fen = _fen("Amount granted", nullable=True)
    granted_on = _day("Day the loan was paid out", nullable=True)
    known_on = _known_on()

    @dy.rule()
    def granted_has_amount_and_day(cls) -> pl.Expr:
        granted = cls.outcome.col.cast(pl.String).fill_null("") == "granted"
        return (granted == cls.granted_fen.col.is_not_null()) & (
            granted == cls.granted_on.col.is_not_null()
        )

    @dy.rule()
    def known_after_applied(cls) -> pl.Expr:
        return (
            cls.known_on.col >= cls.applied_at.col.dt.convert_time_zone("Asia/Shanghai").dt.date()
        )


class Repayments(dy.Schema):
    """The loan book: each granted loan's state at the end of each month.

    Cannot tell: whether a renewed or deferred loan would have been repaid; those are indeterminate.
    """

    application_id = dy.String(
        primary_key=True, min_length=1, max_length=64, description="Application"
    )
    business_id = _business(primary_key=False)
    period = _month()
    days_past_due = dy.Int64(
        min=0, max=10_000, description="At the end of the month", metadata={"unit": "days"}
    )
    worst_days_past_due = dy.Int64(
        min=0, max=10_000, description="Highest on any day up to then", metadata={"unit": "days"}
    )
    balance_fen = _fen("Principal outstanding")
    due_fen = _fen("Due so far, interest included")
    paid_fen = _fen("Of it paid")
    state = dy.Enum(LOAN_STATES, description="State of the loan")
    known_on = _known_on()

    @dy.rule()
    def paid_within_due(cls) -> pl.Expr:
        return cls.paid_fen.col <= cls.due_fen.col

    @dy.rule()
    def known_after_month(cls) -> pl.Expr:
        return cls.known_on.col >= cls.period.col.dt.offset_by("1mo")


def _link_probability(*, nullable: bool = False) -> dy.Float64:
    return dy.Float64(
        min=0,
        max=1,
        nullable=nullable,
        description="Probability that the account is this business's; 1 by its own credit code",
        metadata={"unit": "probability"},
    )


class Links(dy.Schema):
    """Whose account a meter is, as far as known: made by ingest, not delivered.

    A link is known from the day on which both the account and the name it was found by were known.
    From the day on which a second business fits as well, the account is nobody's.
    """

    meter_id = dy.String(
        primary_key=True, min_length=1, max_length=40, description="Account number"
    )
    service = dy.Enum(SERVICES, description="What is metered")
    from_on = _day("First day of the account", primary_key=True)
    to_on = _day("Last day of the account; null while it runs", nullable=True)
    business_id = _business(primary_key=False, nullable=True)
    link_probability = _link_probability(nullable=True)
    known_on = _known_on()

    @dy.rule()
    def linked_with_a_probability(cls) -> pl.Expr:
        return cls.business_id.col.is_null() == cls.link_probability.col.is_null()


class LinkedBills(UtilityBills):
    """Utility bills of the meters that are known to be a business's: made by ingest, not delivered.

    A bill is known from the day on which both it and the link of its meter were known.
    """

    business_id = _business()
    service = dy.Enum(SERVICES, description="What is metered")
    link_probability = _link_probability()
    attributed = dy.Bool(description="False from the day the link of the meter was withdrawn")


class Peers(dy.Schema):
    """Where a business stood among similar ones, four times a year: made by ingest, not delivered.

    Similar are businesses of the same industry, district and size by declared sales; where fewer
    than 30 are known, of the same industry and size, of the industry, or of its section. Of figures
    half a year old nobody is compared. Cannot tell: what came in since the comparison.
    """

    business_id = _business()
    peers = _count("Businesses whose growth of declared sales was compared")
    sales_growth_percentile = _percentile(
        "growth of declared sales, half a year on the year before"
    )
    sales_growth_median = dy.Float64(
        nullable=True,
        min=0,
        description="Median of that growth among the businesses compared",
        metadata={"unit": "ratio"},
    )
    sales_volatility_percentile = _percentile("volatility of declared sales")
    vat_burden_percentile = _percentile("VAT due over declared sales")
    purchases_to_sales_percentile = _percentile("invoiced purchases over invoiced sales")
    electricity_growth_percentile = _percentile("growth of electricity, as that of sales")
    electricity_to_sales_percentile = _percentile("electricity over declared sales")
    known_on = _known_on()


@dataclass(frozen=True)
class Table:
    """One source: its contract, and how its rows form histories.

    ``key`` names what a row speaks of; of several rows with one key the one known last, as of a
    day, is the valid one. ``series`` (with the business) names the monthly histories whose newest
    month anchors windows. ``entity`` is the column whose hash places a row in a bucket. Of a
    business without a row, a ``complete`` table says that nothing happened (counts are zero), any
    other says nothing (all is unknown). A ``personal`` table serves linking and no feature.
    The age of the date ``anniversary`` is told in whole calendar months too.
    """

    name: str
    schema: type[dy.Schema]
    department: str
    key: tuple[str, ...]
    series: tuple[str, ...] = ()
    entity: str = "business_id"
    holds: str | None = None
    anniversary: str | None = None
    delivered: bool = True
    complete: bool = False
    personal: bool = False

    @cached_property
    def version(self) -> tuple[str, ...]:
        """Columns that order the versions of one key, oldest first."""
        return ("known_on", "amendment") if "amendment" in self.dtypes else ("known_on",)

    @cached_property
    def dtypes(self) -> dict[str, Any]:
        """Polars type of each column, in the contract's order."""
        return {name: column.dtype for name, column in self.schema.columns().items()}

    @cached_property
    def sensitive(self) -> tuple[str, ...]:
        """Columns that serve fairness tests only and never reach a feature."""
        columns = self.schema.columns().items()
        return tuple(name for name, column in columns if (column.metadata or {}).get("sensitive"))

    def empty(self) -> pl.DataFrame:
        """The table without rows."""
        return pl.DataFrame(schema=self.dtypes)


REGISTRATIONS = Table(
    "registrations",
    Registrations,
    "registry",
    ("business_id",),
    anniversary="established_on",
)
REGISTERED_NAMES = Table(
    "registered_names", RegisteredNames, "registry", ("business_id",), personal=True
)
REGISTRATION_EVENTS = Table(
    "registration_events",
    RegistrationEvents,
    "registry",
    ("business_id", "event", "happened_on"),
    complete=True,
)
TAX_RETURNS = Table(
    "tax_returns", TaxReturns, "tax", ("business_id", "tax", "period"), series=("tax",)
)
TAX_GRADES = Table("tax_grades", TaxGrades, "tax", ("business_id", "year"))
INVOICES = Table(
    "invoices", Invoices, "tax", ("business_id", "direction", "period"), series=("direction",)
)
METERS = Table("meters", Meters, "utility", ("meter_id", "from_on"), entity="meter_id")
UTILITY_BILLS = Table(
    "utility_bills", UtilityBills, "utility", ("meter_id", "period"), entity="meter_id"
)
LINKS = Table(
    "links", Links, "utility", ("meter_id", "from_on"), entity="meter_id", delivered=False
)
LINKED_BILLS = Table(
    "linked_bills",
    LinkedBills,
    "utility",
    ("business_id", "meter_id", "service", "period"),
    series=("service",),
    holds="attributed",
    delivered=False,
)
APPLICATIONS = Table("applications", Applications, "bank", ("application_id",), complete=True)
REPAYMENTS = Table(
    "repayments",
    Repayments,
    "bank",
    ("application_id", "period"),
    series=("application_id",),
    complete=True,
)
PEERS = Table("peers", Peers, "peers", ("business_id",), delivered=False)

TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        REGISTRATIONS,
        REGISTERED_NAMES,
        REGISTRATION_EVENTS,
        TAX_RETURNS,
        TAX_GRADES,
        INVOICES,
        METERS,
        UTILITY_BILLS,
        LINKS,
        LINKED_BILLS,
        APPLICATIONS,
        REPAYMENTS,
        PEERS,
    )
}
FEEDS: Mapping[str, Table] = {name: table for name, table in TABLES.items() if table.delivered}

# Of a business, and dated by a department: what can be fresh or stale, or missing of somebody.
DATED = tuple(t for t in TABLES.values() if t.entity == "business_id" and t.department != "bank")
