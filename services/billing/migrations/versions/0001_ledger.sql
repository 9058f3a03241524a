-- The ledger. Three layers: usage, as it was metered; charges, what invoices say it costs; the journal, money alone.

-- Who pays. Somebody whose tenant the manifests give no owner has no address.
CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email text UNIQUE,
    name text NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE tenants (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    user_id bigint NOT NULL REFERENCES users,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE services (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id bigint NOT NULL REFERENCES tenants,
    name text NOT NULL,
    endpoint text NOT NULL DEFAULT '',
    health text NOT NULL DEFAULT '',
    UNIQUE (tenant_id, name)
);
-- How a revision is billed; one that is not here is billed by request.
CREATE TABLE revisions (
    tenant text NOT NULL,
    service text NOT NULL,
    name text NOT NULL,
    basis text NOT NULL CHECK (basis IN ('request', 'instance')),
    PRIMARY KEY (tenant, service, name)
);
-- A run of a container: the engine's id and its start, so that a name used again or a counter begun anew is another.
-- Whose it is, its first window says, and no later one.
CREATE TABLE containers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    engine_id text NOT NULL,
    started_ms bigint NOT NULL,
    user_id bigint NOT NULL REFERENCES users,
    service_id bigint NOT NULL REFERENCES services,
    revision text NOT NULL,
    instance text NOT NULL,
    image text NOT NULL DEFAULT '',
    status text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'ended')),
    last_window timestamptz NOT NULL,
    UNIQUE (engine_id, started_ms)
);

-- Usage, a row for each window of a run: cpu_usage in microseconds of CPU time, memory_usage in bytes times
-- milliseconds. All metrics of a window come together, so `kind` stands for the metric in the key.
CREATE SEQUENCE usage_id_seq;
CREATE TABLE usage (
    id bigint NOT NULL DEFAULT nextval('usage_id_seq'),
    container_id bigint NOT NULL REFERENCES containers,
    user_id bigint NOT NULL REFERENCES users,
    service_id bigint NOT NULL REFERENCES services,
    window_start timestamptz NOT NULL,
    window_end timestamptz NOT NULL,
    kind text NOT NULL,
    basis text NOT NULL CHECK (basis IN ('request', 'instance')),
    cpu_usage bigint NOT NULL CHECK (cpu_usage >= 0),
    memory_usage numeric NOT NULL CHECK (memory_usage >= 0),
    memory_peak_bytes bigint NOT NULL CHECK (memory_peak_bytes >= 0),
    active_ms bigint NOT NULL CHECK (active_ms >= 0),
    allocated_ms bigint NOT NULL CHECK (allocated_ms >= 0),
    frozen_ms bigint NOT NULL CHECK (frozen_ms BETWEEN 0 AND allocated_ms),
    requests bigint NOT NULL CHECK (requests >= 0),
    egress_bytes bigint NOT NULL CHECK (egress_bytes >= 0),
    cpu_limit_millis bigint NOT NULL CHECK (cpu_limit_millis >= 0),
    memory_limit_bytes bigint NOT NULL CHECK (memory_limit_bytes >= 0),
    estimated boolean NOT NULL,
    CHECK (window_start < window_end),
    PRIMARY KEY (container_id, window_start, kind)
) PARTITION BY RANGE (window_start);
CREATE INDEX usage_by_service ON usage (service_id, window_start);

-- Up to which batch of which meter everything is in the usage.
CREATE TABLE feeds (
    name text PRIMARY KEY,
    sequence bigint NOT NULL
);

-- Prices, valid from a day to another (open without), and known from a moment: a book is all rows of one moment.
CREATE TABLE prices (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book text NOT NULL,
    known_from timestamptz NOT NULL,
    valid_from date NOT NULL,
    valid_until date,
    currency text NOT NULL,
    minimum_charge_ms integer NOT NULL CHECK (minimum_charge_ms > 0),
    active_vcpu_second numeric NOT NULL,
    active_gib_second numeric NOT NULL,
    idle_vcpu_second numeric NOT NULL,
    idle_gib_second numeric NOT NULL,
    instance_vcpu_second numeric NOT NULL,
    instance_gib_second numeric NOT NULL,
    million_requests numeric NOT NULL,
    egress_gib numeric NOT NULL,
    storage_gib_month numeric NOT NULL,
    free_active_vcpu_seconds numeric NOT NULL,
    free_active_gib_seconds numeric NOT NULL,
    free_instance_vcpu_seconds numeric NOT NULL,
    free_instance_gib_seconds numeric NOT NULL,
    free_requests numeric NOT NULL,
    free_egress_gib numeric NOT NULL,
    UNIQUE (known_from, valid_from),
    CHECK (valid_until > valid_from)
);
CREATE TABLE discounts (
    known_from timestamptz NOT NULL,
    tenant text NOT NULL,
    percent numeric NOT NULL CHECK (percent BETWEEN 0 AND 100),
    PRIMARY KEY (known_from, tenant)
);

-- What a tenant means to spend in a month; the row known last counts.
CREATE TABLE budgets (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id bigint NOT NULL REFERENCES tenants,
    amount numeric NOT NULL CHECK (amount >= 0),
    currency text NOT NULL,
    known_from timestamptz NOT NULL DEFAULT now()
);

-- Who writes invoices; the number of the last one.
CREATE TABLE issuers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    last_number bigint NOT NULL DEFAULT 0
);
-- `usage_upto` is the last row of usage that was there when it was issued, so what it was made of can be found again.
CREATE TABLE invoices (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id bigint NOT NULL REFERENCES issuers,
    number bigint NOT NULL,
    kind text NOT NULL CHECK (kind IN ('invoice', 'credit_note', 'debit_note')),
    tenant_id bigint NOT NULL REFERENCES tenants,
    user_id bigint NOT NULL REFERENCES users,
    month date NOT NULL CHECK (month = date_trunc('month', month::timestamp)::date),
    currency text NOT NULL,
    net numeric(20, 2) NOT NULL,
    tax_percent numeric NOT NULL CHECK (tax_percent BETWEEN 0 AND 100),
    tax numeric(20, 2) NOT NULL,
    total numeric(20, 2) NOT NULL CHECK (total = net + tax),
    prices_known_from timestamptz NOT NULL,
    usage_upto bigint NOT NULL,
    issued_at timestamptz NOT NULL DEFAULT now(),
    corrects_id bigint REFERENCES invoices,
    UNIQUE (issuer_id, number),
    CHECK ((kind = 'invoice') = (corrects_id IS NULL)),
    CHECK (CASE kind WHEN 'credit_note' THEN total < 0 ELSE total >= 0 END)
);
CREATE UNIQUE INDEX invoices_once ON invoices (tenant_id, month) WHERE kind = 'invoice';
-- Lines of invoices: what one service used of one thing while one set of prices held.
CREATE TABLE charges (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    invoice_id bigint NOT NULL REFERENCES invoices,
    position integer NOT NULL,
    service_id bigint NOT NULL REFERENCES services,
    prices_id bigint NOT NULL REFERENCES prices,
    starts date NOT NULL,
    ends date NOT NULL CHECK (ends > starts),
    item text NOT NULL CHECK (item IN ('cpu', 'memory', 'requests', 'egress', 'storage')),
    amount numeric(20, 2) NOT NULL,
    quantities jsonb NOT NULL,
    corrects_id bigint REFERENCES charges,
    UNIQUE (invoice_id, position),
    UNIQUE (invoice_id, service_id, prices_id, item)
);

-- Accounts of the journal: one a kind and currency, and of receivables one a tenant.
CREATE TABLE accounts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('receivable', 'revenue', 'tax', 'cash', 'write_off')),
    tenant_id bigint REFERENCES tenants,
    currency text NOT NULL,
    balance numeric(20, 2) NOT NULL DEFAULT 0,
    version bigint NOT NULL DEFAULT 0,
    UNIQUE NULLS NOT DISTINCT (kind, tenant_id, currency),
    CHECK ((kind = 'receivable') = (tenant_id IS NOT NULL))
);
-- A posting: when it was (event_at) and when it was written (recorded_at). Its key is its author's, and counts once.
CREATE TABLE journal (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL UNIQUE,
    kind text NOT NULL CHECK (kind IN ('invoice', 'credit_note', 'debit_note', 'payment', 'write_off')),
    invoice_id bigint NOT NULL REFERENCES invoices,
    event_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    recorded_by xid8 NOT NULL DEFAULT pg_current_xact_id()
);
-- What a posting does to one account, debits above zero; with the account's balance before and after.
CREATE TABLE entries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    journal_id bigint NOT NULL REFERENCES journal,
    account_id bigint NOT NULL REFERENCES accounts,
    amount numeric(20, 2) NOT NULL CHECK (amount <> 0),
    account_version bigint NOT NULL,
    previous_balance numeric(20, 2) NOT NULL,
    current_balance numeric(20, 2) NOT NULL CHECK (current_balance = previous_balance + amount),
    UNIQUE (account_id, account_version),
    UNIQUE (journal_id, account_id)
);

-- What happened to the ledger beside what its tables say: refused windows, contradictions, new prices.
CREATE TABLE events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    kind text NOT NULL,
    detail jsonb NOT NULL
);

-- What a user was asked for, and whether it is settled.
CREATE VIEW billing AS
SELECT
    i.id,
    i.user_id,
    i.total AS amount,
    i.month AS period,
    CASE WHEN i.total <= coalesce(settled.amount, 0) THEN 'settled' ELSE 'open' END AS status
FROM invoices AS i
LEFT JOIN (
    SELECT j.invoice_id, -sum(e.amount) AS amount
    FROM journal AS j
    JOIN entries AS e ON e.journal_id = j.id
    JOIN accounts AS a ON a.id = e.account_id AND a.kind = 'receivable'
    WHERE j.kind IN ('payment', 'write_off')
    GROUP BY j.invoice_id
) AS settled ON settled.invoice_id = i.id;

-- What each service used, minute by minute, in the units of the usage.
CREATE VIEW metrics AS
SELECT
    min(id) AS id,
    service_id,
    sum(cpu_usage) AS cpu_usage,
    sum(memory_usage) AS memory_usage,
    window_start AS timestamp
FROM usage
GROUP BY service_id, window_start;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, lower(TG_OP)
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON usage FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON prices FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON discounts FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON invoices FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON charges FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON journal FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON entries FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON events FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Numbers without gaps: the issuer's row is held until the invoice is there, or neither is.
CREATE FUNCTION number_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE issuers SET last_number = last_number + 1 WHERE id = NEW.issuer_id RETURNING last_number INTO NEW.number;
    RETURN NEW;
END $$;
CREATE TRIGGER numbered BEFORE INSERT ON invoices FOR EACH ROW EXECUTE FUNCTION number_invoice();
CREATE FUNCTION refuse_number() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_trigger_depth() < 2 AND NEW.last_number <> OLD.last_number THEN
        RAISE EXCEPTION 'number of issuer %: only an invoice may take the next', OLD.name
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER numbered_by_invoices BEFORE UPDATE ON issuers FOR EACH ROW EXECUTE FUNCTION refuse_number();

-- A bill is the sum of its lines, and is not added to later.
CREATE FUNCTION check_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    bill bigint := CASE TG_TABLE_NAME WHEN 'invoices' THEN NEW.id ELSE NULL END;
    said numeric;
    lines numeric;
BEGIN
    IF bill IS NULL THEN
        bill := (to_jsonb(NEW) ->> 'invoice_id')::bigint;
    END IF;
    SELECT net INTO said FROM invoices WHERE id = bill;
    SELECT coalesce(sum(amount), 0) INTO lines FROM charges WHERE invoice_id = bill;
    IF said <> lines THEN
        RAISE EXCEPTION 'invoice %: net must be the sum of its lines (%), got %', bill, lines, said
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER sum_of_lines AFTER INSERT ON invoices DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION check_invoice();
CREATE CONSTRAINT TRIGGER sum_of_lines AFTER INSERT ON charges DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION check_invoice();

-- Balances move by entries alone, and each entry says what it found and left.
CREATE FUNCTION post_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT recorded_by FROM journal WHERE id = NEW.journal_id) <> pg_current_xact_id() THEN
        RAISE EXCEPTION 'posting %: entries must be written with it', NEW.journal_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    UPDATE accounts SET balance = balance + NEW.amount, version = version + 1 WHERE id = NEW.account_id
        RETURNING version, balance - NEW.amount, balance
        INTO NEW.account_version, NEW.previous_balance, NEW.current_balance;
    RETURN NEW;
END $$;
CREATE TRIGGER posted BEFORE INSERT ON entries FOR EACH ROW EXECUTE FUNCTION post_entry();
CREATE FUNCTION refuse_balance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' AND NEW.balance = 0 AND NEW.version = 0 THEN
        RETURN NEW;
    END IF;
    IF TG_OP = 'UPDATE' AND pg_trigger_depth() > 1 THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'account %: its balance moves by entries alone', coalesce(NEW.id, OLD.id)
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER moved_by_entries BEFORE INSERT OR UPDATE OR DELETE ON accounts
    FOR EACH ROW EXECUTE FUNCTION refuse_balance();

-- Double entry: at the end of its transaction a posting has two entries or more, of one currency, whose sum is zero.
CREATE FUNCTION check_posting() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found record;
BEGIN
    SELECT count(*) AS entries, coalesce(sum(e.amount), 0) AS amount, count(DISTINCT a.currency) AS currencies
        INTO found
        FROM entries AS e JOIN accounts AS a ON a.id = e.account_id WHERE e.journal_id = NEW.id;
    IF found.entries < 2 OR found.amount <> 0 OR found.currencies <> 1 THEN
        RAISE EXCEPTION 'posting %: must have two entries or more, of one currency, whose sum is 0, got % of %, sum %',
            NEW.key, found.entries, found.currencies, found.amount
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER balanced AFTER INSERT ON journal DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION check_posting();

-- The month's part of the usage; called before rows are written, as often as one likes.
CREATE FUNCTION open_month(moment timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    starts timestamp := date_trunc('month', moment AT TIME ZONE 'UTC');
    part text := 'usage_' || to_char(starts, 'YYYY_MM');
BEGIN
    IF to_regclass(part) IS NULL THEN
        PERFORM pg_advisory_xact_lock(hashtext('runyard.open_month'));
        EXECUTE format(
            'CREATE TABLE IF NOT EXISTS %I PARTITION OF usage FOR VALUES FROM (%L) TO (%L)',
            part, starts AT TIME ZONE 'UTC', (starts + interval '1 month') AT TIME ZONE 'UTC'
        );
    END IF;
END $$;
