-- Fourteen features of the register, tax and invoices in the SQL that DuckDB and Spark share.
-- $name$ stands for a table, $day$ for the day of the application in Shanghai, $days(a, b)$ for days.
WITH moments AS (
    SELECT application_id, business_id, $day$ AS applied_on FROM $applications$
),
registrations AS (
    SELECT application_id, applied_on, status, registered_capital_fen
    FROM moments JOIN (
        SELECT *, lead(known_on) OVER (PARTITION BY business_id ORDER BY known_on) AS ended_on
        FROM $registrations$
    ) AS versions ON moments.business_id = versions.business_id
    WHERE known_on <= applied_on AND (ended_on IS NULL OR ended_on > applied_on)
),
returns_seen AS (
    SELECT application_id, tax, amendment, tax_paid_fen, filed_on, due_on, applied_on,
        12 * year(applied_on) + month(applied_on) - 12 * year(period) - month(period) - (months - 1) AS months_ago
    FROM moments JOIN (
        SELECT *, lead(known_on) OVER (PARTITION BY business_id, tax, period ORDER BY known_on, amendment) AS ended_on
        FROM $tax_returns$
    ) AS versions ON moments.business_id = versions.business_id
    WHERE known_on <= applied_on AND (ended_on IS NULL OR ended_on > applied_on)
),
returns AS (
    SELECT *, months_ago - min(months_ago) OVER (PARTITION BY application_id, tax) AS months_back FROM returns_seen
),
tax AS (
    SELECT application_id,
        count(*) FILTER (WHERE months_back <= 23 AND filed_on > due_on AND amendment = 0) AS late_returns_24m,
        count(*) FILTER (WHERE months_back <= 23 AND filed_on IS NULL AND due_on < applied_on) AS missing_returns_24m,
        count(*) FILTER (WHERE months_back <= 23 AND amendment > 0) AS amended_returns_24m,
        coalesce(sum(tax_paid_fen) FILTER (WHERE months_back <= 11), 0) * 1e-2 AS tax_paid_12m,
        min(months_ago) FILTER (WHERE tax = 'vat' AND filed_on IS NOT NULL) AS months_since_return
    FROM returns GROUP BY application_id
),
invoices_seen AS (
    SELECT application_id, direction, invoices, amount_fen, red_letter_fen, counterparties,
        12 * year(applied_on) + month(applied_on) - 12 * year(period) - month(period) AS months_ago
    FROM moments JOIN (
        SELECT *, lead(known_on) OVER (PARTITION BY business_id, direction, period ORDER BY known_on) AS ended_on
        FROM $invoices$
    ) AS versions ON moments.business_id = versions.business_id
    WHERE known_on <= applied_on AND (ended_on IS NULL OR ended_on > applied_on)
),
issued AS (
    SELECT * FROM (
        SELECT *, months_ago - min(months_ago) OVER (PARTITION BY application_id, direction) AS months_back
        FROM invoices_seen
    ) AS dated
),
invoiced AS (
    SELECT application_id,
        avg(amount_fen) FILTER (WHERE direction = 'sales' AND months_back <= 11) * 1e-2 AS invoiced_sales_monthly_12m,
        avg(amount_fen) FILTER (WHERE direction = 'sales' AND months_back <= 11)
            / nullif(avg(amount_fen) FILTER (WHERE direction = 'sales' AND months_back BETWEEN 12 AND 23), 0) AS invoiced_sales_growth_12m,
        count(*) FILTER (WHERE direction = 'sales' AND months_back <= 11 AND invoices = 0) AS months_without_invoice_12m,
        avg(invoices) FILTER (WHERE direction = 'sales' AND months_back <= 11) AS invoices_monthly_12m,
        avg(counterparties) FILTER (WHERE direction = 'sales' AND months_back <= 11) AS customers_monthly_12m,
        sum(red_letter_fen) FILTER (WHERE direction = 'sales' AND months_back <= 11)
            / nullif(sum(amount_fen) FILTER (WHERE direction = 'sales' AND months_back <= 11), 0) AS red_letter_share_12m
    FROM issued GROUP BY application_id
)
SELECT moments.application_id,
    CASE WHEN status = 'operating' THEN 1.0 WHEN status IS NOT NULL THEN 0.0 END AS is_operating,
    registered_capital_fen * 1e-2 AS registered_capital,
    late_returns_24m, missing_returns_24m, amended_returns_24m, tax_paid_12m, months_since_return,
    invoiced_sales_monthly_12m, invoiced_sales_growth_12m, months_without_invoice_12m, invoices_monthly_12m,
    customers_monthly_12m, red_letter_share_12m
FROM moments
LEFT JOIN registrations ON moments.application_id = registrations.application_id
LEFT JOIN tax ON moments.application_id = tax.application_id
LEFT JOIN invoiced ON moments.application_id = invoiced.application_id
