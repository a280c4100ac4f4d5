-- The catalogue's features of the registry, tax, invoices, utilities and loan book, written by hand.
--
-- $name$ stands for the Parquet files of a table. Each source is cut the same way: the next version
-- of a key ends the one before it (lead), an application sees the versions that were known and not
-- ended on its day, and months count back from the newest known month of each series.
WITH moments AS (
    SELECT application_id, business_id, CAST(timezone('Asia/Shanghai', applied_at) AS DATE) AS applied_on
    FROM $applications$
),
registrations AS (
    SELECT application_id,
        any_value(date_diff('month', established_on, applied_on)
            - CAST(day(applied_on) < least(day(established_on), day(last_day(applied_on))) AS INTEGER)) AS business_age_months,
        CAST(any_value(status) = 'operating' AS DOUBLE) AS is_operating,
        any_value(registered_capital_fen) * 0.01 AS registered_capital
    FROM moments JOIN (
        SELECT *, lead(known_on) OVER (PARTITION BY business_id ORDER BY known_on) AS ended_on
        FROM $registrations$
    ) USING (business_id)
    WHERE known_on <= applied_on AND (ended_on IS NULL OR ended_on > applied_on)
    GROUP BY application_id
),
events AS (
    SELECT application_id,
        min(ago) FILTER (event IN ('legal_representative_changed', 'shareholder_changed')) * (12 / 365.25) AS months_since_control_change,
        count(*) FILTER (ago BETWEEN 0 AND 730 AND event IN ('address_changed', 'legal_representative_changed', 'shareholder_changed')) AS register_changes_24m,
        CAST(coalesce(min(ago) FILTER (event = 'abnormal_listed') < coalesce(min(ago) FILTER (event = 'abnormal_removed'), 1000000), false) AS DOUBLE) AS is_listed_abnormal,
        count(*) FILTER (ago BETWEEN 0 AND 730 AND event = 'abnormal_listed') AS abnormal_listings_24m,
        count(*) FILTER (ago BETWEEN 0 AND 730 AND event = 'penalty') AS penalties_24m,
        count(*) FILTER (ago BETWEEN 0 AND 730 AND event = 'judgment_debtor') AS judgment_debts_24m,
        count(*) FILTER (ago BETWEEN 0 AND 1096 AND event = 'annual_report_missed') AS annual_reports_missed_36m
    FROM (
        SELECT application_id, event, date_diff('day', happened_on, applied_on) AS ago
        FROM moments JOIN (
            SELECT *, lead(known_on) OVER (PARTITION BY business_id, event, happened_on ORDER BY known_on) AS ended_on
            FROM $registration_events$
        ) USING (business_id)
        WHERE known_on <= applied_on AND (ended_on IS NULL OR ended_on > applied_on)
    )
    GROUP BY application_id
),
returns_seen AS (
    SELECT application_id, tax, months, amendment, levy, sales_fen, tax_due_fen, tax_paid_fen,
        filed_on, due_on, applied_on,
        date_diff('month', period, applied_on) - (months - 1) AS months_ago
    FROM moments JOIN (
        SELECT *, lead(known_on) OVER (PARTITION BY business_id, tax, period ORDER BY known_on, amendment) AS ended_on
        FROM $tax_returns$
    ) USING (business_id)
    WHERE known_on <= applied_on AND (ended_on IS NULL OR ended_on > applied_on)
),
returns AS (
    SELECT *, months_ago - min(months_ago) OVER (PARTITION BY application_id, tax) AS months_back
    FROM returns_seen
),
tax_sums AS (
    SELECT application_id,
        sum(sales_fen) FILTER (tax = 'vat' AND months_back BETWEEN 0 AND 11) / nullif(sum(months) FILTER (tax = 'vat' AND months_back BETWEEN 0 AND 11 AND sales_fen IS NOT NULL), 0) AS sales_12,
        sum(sales_fen) FILTER (tax = 'vat' AND months_back BETWEEN 12 AND 23) / nullif(sum(months) FILTER (tax = 'vat' AND months_back BETWEEN 12 AND 23 AND sales_fen IS NOT NULL), 0) AS sales_12_before,
        sum(sales_fen) FILTER (tax = 'vat' AND months_back BETWEEN 0 AND 2) / nullif(sum(months) FILTER (tax = 'vat' AND months_back BETWEEN 0 AND 2 AND sales_fen IS NOT NULL), 0) AS sales_3,
        sum(sales_fen) FILTER (tax = 'vat' AND months_back BETWEEN 12 AND 14) / nullif(sum(months) FILTER (tax = 'vat' AND months_back BETWEEN 12 AND 14 AND sales_fen IS NOT NULL), 0) AS sales_3_before,
        count(sales_fen) FILTER (tax = 'vat' AND months_back BETWEEN 0 AND 23) AS sales_periods,
        stddev_samp(sales_fen / months) FILTER (tax = 'vat' AND months_back BETWEEN 0 AND 23) AS sales_deviation,
        avg(sales_fen / months) FILTER (tax = 'vat' AND months_back BETWEEN 0 AND 23) AS sales_mean,
        coalesce(sum(least(months, 12 - months_back)) FILTER (tax = 'vat' AND sales_fen = 0 AND months_back BETWEEN 0 AND 11), 0) AS zero_sales_months_12m,
        count(*) FILTER (months_back BETWEEN 0 AND 23 AND filed_on > due_on AND amendment = 0) AS late_returns_24m,
        count(*) FILTER (months_back BETWEEN 0 AND 23 AND filed_on IS NULL AND due_on < applied_on) AS missing_returns_24m,
        count(*) FILTER (months_back BETWEEN 0 AND 23 AND amendment > 0) AS amended_returns_24m,
        coalesce(sum(tax_due_fen - tax_paid_fen) FILTER (due_on < applied_on AND tax_due_fen > tax_paid_fen), 0) * 0.01 AS tax_arrears,
        coalesce(sum(tax_paid_fen) FILTER (months_back BETWEEN 0 AND 11), 0) * 0.01 AS tax_paid_12m,
        coalesce(sum(least(months, 25 - months_ago)) FILTER (tax = 'vat' AND filed_on IS NOT NULL AND months_ago BETWEEN 1 AND 24), 0) AS declared_months_24m,
        min(months_ago) FILTER (tax = 'vat' AND filed_on IS NOT NULL) AS months_since_return,
        CAST(coalesce(bool_or(tax = 'vat' AND levy = 'assessed' AND months_back = 0), false) AS DOUBLE) AS is_assessed_levy
    FROM returns
    GROUP BY application_id
),
tax AS (
    SELECT application_id,
        sales_12 * 0.01 AS declared_sales_monthly_12m,
        sales_12 / nullif(sales_12_before, 0) AS declared_sales_growth_12m,
        sales_3 / nullif(sales_3_before, 0) AS declared_sales_yoy_3m,
        CASE WHEN sales_periods >= 3 THEN sales_deviation / nullif(sales_mean, 0) END AS declared_sales_volatility_24m,
        zero_sales_months_12m, late_returns_24m, missing_returns_24m, amended_returns_24m, tax_arrears,
        tax_paid_12m, declared_months_24m, months_since_return, is_assessed_levy
    FROM tax_sums
),
grades AS (
    SELECT application_id,
        max_by(strpos('ABMCD', grade), year) AS tax_grade_rank
    FROM moments JOIN (
        SELECT *, lead(known_on) OVER (PARTITION BY business_id, year ORDER BY known_on) AS ended_on
        FROM $tax_grades$
    ) USING (business_id)
    WHERE known_on <= applied_on AND (ended_on IS NULL OR ended_on > applied_on)
    GROUP BY application_id
),
invoices_seen AS (
    SELECT application_id, direction, invoices, amount_fen, red_letter_fen, voids, counterparties,
        largest_counterparty_fen, date_diff('month', period, applied_on) AS months_ago
    FROM moments JOIN (
        SELECT *, lead(known_on) OVER (PARTITION BY business_id, direction, period ORDER BY known_on) AS ended_on
        FROM $invoices$
    ) USING (business_id)
    WHERE known_on <= applied_on AND (ended_on IS NULL OR ended_on > applied_on)
),
invoices AS (
    SELECT *, months_ago - min(months_ago) OVER (PARTITION BY application_id, direction) AS months_back
    FROM invoices_seen
),
invoice_sums AS (
    SELECT application_id,
        avg(amount_fen) FILTER (direction = 'sales' AND months_back BETWEEN 0 AND 11) AS sales_12,
        avg(amount_fen) FILTER (direction = 'sales' AND months_back BETWEEN 12 AND 23) AS sales_12_before,
        avg(amount_fen) FILTER (direction = 'sales' AND months_back BETWEEN 0 AND 2) AS sales_3,
        avg(amount_fen) FILTER (direction = 'sales' AND months_back BETWEEN 12 AND 14) AS sales_3_before,
        count(*) FILTER (direction = 'sales' AND months_back BETWEEN 0 AND 23) AS sales_months,
        stddev_samp(amount_fen) FILTER (direction = 'sales' AND months_back BETWEEN 0 AND 23) AS sales_deviation,
        avg(amount_fen) FILTER (direction = 'sales' AND months_back BETWEEN 0 AND 23) AS sales_mean,
        count(*) FILTER (direction = 'sales' AND months_back BETWEEN 0 AND 11 AND invoices = 0) AS months_without_invoice_12m,
        avg(invoices) FILTER (direction = 'sales' AND months_back BETWEEN 0 AND 11) AS invoices_monthly_12m,
        sum(amount_fen) FILTER (direction = 'sales' AND months_back BETWEEN 0 AND 11) AS amount_12,
        sum(red_letter_fen) FILTER (direction = 'sales' AND months_back BETWEEN 0 AND 11) AS red_letter_12,
        sum(voids) FILTER (direction = 'sales' AND months_back BETWEEN 0 AND 11) AS voids_12,
        sum(invoices) FILTER (direction = 'sales' AND months_back BETWEEN 0 AND 11) AS invoices_12,
        avg(counterparties) FILTER (direction = 'sales' AND months_back BETWEEN 0 AND 11) AS customers_monthly_12m,
        sum(largest_counterparty_fen) FILTER (direction = 'sales' AND months_back BETWEEN 0 AND 11) AS largest_12,
        coalesce(sum(amount_fen) FILTER (direction = 'purchases' AND months_back BETWEEN 0 AND 11), 0) AS purchases_12
    FROM invoices
    GROUP BY application_id
),
invoiced AS (
    SELECT application_id,
        sales_12 * 0.01 AS invoiced_sales_monthly_12m,
        sales_12 / nullif(sales_12_before, 0) AS invoiced_sales_growth_12m,
        sales_3 / nullif(sales_3_before, 0) AS invoiced_sales_yoy_3m,
        CASE WHEN sales_months >= 3 THEN sales_deviation / nullif(sales_mean, 0) END AS invoiced_sales_volatility_24m,
        months_without_invoice_12m, invoices_monthly_12m,
        red_letter_12 / nullif(amount_12, 0) AS red_letter_share_12m,
        voids_12 / nullif(voids_12 + invoices_12, 0) AS void_share_12m,
        customers_monthly_12m,
        largest_12 / nullif(amount_12, 0) AS largest_customer_share_12m,
        purchases_12 / nullif(amount_12, 0) AS purchases_to_sales_12m
    FROM invoice_sums
),
bills_seen AS (
    SELECT application_id, service, meter_id, quantity, due_on, paid_on, applied_on,
        date_diff('month', period, applied_on) AS months_ago
    FROM moments JOIN (
        SELECT *, lead(known_on) OVER (PARTITION BY business_id, meter_id, service, period ORDER BY known_on) AS ended_on
        FROM $linked_bills$
    ) USING (business_id)
    WHERE known_on <= applied_on AND (ended_on IS NULL OR ended_on > applied_on) AND attributed
),
bills AS (
    SELECT *, months_ago - min(months_ago) OVER (PARTITION BY application_id, service) AS months_back
    FROM bills_seen
),
bill_sums AS (
    SELECT application_id,
        avg(quantity) FILTER (service = 'electricity' AND months_back BETWEEN 0 AND 11) AS kwh_12,
        avg(quantity) FILTER (service = 'electricity' AND months_back BETWEEN 12 AND 23) AS kwh_12_before,
        avg(quantity) FILTER (service = 'electricity' AND months_back BETWEEN 0 AND 2) AS kwh_3,
        avg(quantity) FILTER (service = 'electricity' AND months_back BETWEEN 12 AND 14) AS kwh_3_before,
        min(quantity) FILTER (service = 'electricity' AND months_back BETWEEN 0 AND 11) AS kwh_lowest,
        count(*) FILTER (months_back BETWEEN 0 AND 11 AND (paid_on > due_on OR (paid_on IS NULL AND due_on < applied_on))) AS late_utility_bills_12m,
        coalesce(max(date_diff('day', due_on, applied_on)) FILTER (paid_on IS NULL AND due_on < applied_on), 0) AS utility_days_overdue,
        min(months_ago) FILTER (service = 'electricity') AS months_since_electricity,
        count(DISTINCT meter_id) FILTER (service = 'electricity' AND months_back BETWEEN 0 AND 11) AS electricity_meters
    FROM bills
    GROUP BY application_id
),
electricity AS (
    SELECT application_id,
        kwh_12 AS electricity_monthly_12m,
        kwh_12 / nullif(kwh_12_before, 0) AS electricity_growth_12m,
        kwh_3 / nullif(kwh_3_before, 0) AS electricity_yoy_3m,
        kwh_lowest / nullif(kwh_12, 0) AS electricity_lowest_share_12m,
        late_utility_bills_12m, utility_days_overdue, months_since_electricity, electricity_meters
    FROM bill_sums
),
loans AS (
    SELECT moments.application_id,
        count(DISTINCT book.application_id) AS earlier_loans,
        max(worst_days_past_due) AS earlier_days_past_due
    FROM moments JOIN (
        SELECT *, lead(known_on) OVER (PARTITION BY business_id, application_id, period ORDER BY known_on) AS ended_on
        FROM $repayments$
    ) AS book USING (business_id)
    WHERE known_on <= applied_on AND (ended_on IS NULL OR ended_on > applied_on)
    GROUP BY moments.application_id
)
-- events and loans are always reported: none is zero, not unknown
SELECT * REPLACE (
    coalesce(register_changes_24m, 0) AS register_changes_24m,
    coalesce(is_listed_abnormal, 0) AS is_listed_abnormal,
    coalesce(abnormal_listings_24m, 0) AS abnormal_listings_24m,
    coalesce(penalties_24m, 0) AS penalties_24m,
    coalesce(judgment_debts_24m, 0) AS judgment_debts_24m,
    coalesce(annual_reports_missed_36m, 0) AS annual_reports_missed_36m,
    coalesce(earlier_loans, 0) AS earlier_loans
)
FROM moments
LEFT JOIN registrations USING (application_id)
LEFT JOIN events USING (application_id)
LEFT JOIN tax USING (application_id)
LEFT JOIN grades USING (application_id)
LEFT JOIN invoiced USING (application_id)
LEFT JOIN electricity USING (application_id)
LEFT JOIN loans USING (application_id)
ORDER BY application_id
