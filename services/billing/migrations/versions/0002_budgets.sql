-- What happens on the way to a budget: a list of runyard.contracts.Threshold.
ALTER TABLE budgets ADD COLUMN thresholds jsonb NOT NULL DEFAULT '[]';

-- Thresholds that were crossed, each once a month and budget; `amount` is what had been spent, or was forecast, then.
CREATE TABLE crossings (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    budget_id bigint NOT NULL REFERENCES budgets,
    month date NOT NULL CHECK (month = date_trunc('month', month::timestamp)::date),
    percent integer NOT NULL CHECK (percent > 0),
    spending text NOT NULL CHECK (spending IN ('actual', 'forecast')),
    action text NOT NULL CHECK (action IN ('warn', 'block', 'limit', 'stop')),
    most integer NOT NULL CHECK (most >= 0),
    amount numeric(20, 2) NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (budget_id, month, percent, spending, action)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON crossings FOR EACH ROW EXECUTE FUNCTION refuse_change();
