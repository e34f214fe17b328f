"""The broken invariants of rewards."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from hamyon.kit.db import Connection, Pool
from hamyon.ledger.types import Finding


async def audit(connection: Connection | Pool, *, since: datetime | None) -> Sequence[Finding]:
    """What is broken; ``since`` looks only at what came or moved from then on."""
    found = []
    for statement in (TRIALS, BONUSES, PROMO_CODES, DAILY):
        rows = await connection.fetch(statement, since)
        found += [Finding(row["check"], row["subject"], row["detail"]) for row in rows]
    return found


# A trial order has no hold: whoever has both paid for what was free.
TRIALS: Final = """
SELECT 'trial_is_free' AS check, t.order_id::text AS subject,
       format('hold of %s', h.amount) AS detail
FROM trial_uses t JOIN hold_outcomes h ON h.key = 'order:' || t.order_id
WHERE $1::timestamptz IS NULL OR t.reserved_at >= $1
"""

# A bonus carries no time of its last change. What moved is found through the ledger: a grant has
# the bonus's own key, what a refund did has the payment as its reference. Debts that a grant paid
# off are transfers of their own that even themselves out, so they are left aside.
BONUSES: Final = """
WITH moved AS (
    SELECT DISTINCT key, reference, created_at FROM transfer_totals
    WHERE $1::timestamptz IS NOT NULL AND created_at >= $1
      AND kind IN ('referral_bonus', 'promo_code')
), touched AS (
    SELECT b.* FROM bonuses b WHERE $1::timestamptz IS NULL OR b.created_at >= $1
    UNION
    SELECT b.* FROM bonuses b JOIN moved ON moved.key = b.key
    UNION
    SELECT b.* FROM bonuses b JOIN moved ON b.payment_id =
        CASE WHEN moved.reference ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
             THEN moved.reference::uuid END
)
SELECT 'bonus_is_posted' AS check, b.key AS subject,
       format('%s: %s of %s taken back, the ledger has %s',
              b.state, b.taken_back, b.amount, p.total) AS detail
FROM touched b
CROSS JOIN LATERAL (
    SELECT coalesce(sum(t.amount), 0) AS total FROM transfer_totals t
    WHERE t.user_id = b.user_id AND t.asset = b.asset AND t.key IN (
        SELECT b.key
        UNION ALL SELECT 'refund:' || b.key
        UNION ALL SELECT format('refund:%s:bonus:%s', x.refund_id, b.id)
            FROM bonus_takings x WHERE x.bonus_id = b.id
        UNION ALL SELECT format('undo:%s:bonus:%s', x.refund_id, b.id)
            FROM bonus_takings x WHERE x.bonus_id = b.id)
) p
WHERE p.total <> CASE b.state WHEN 'held' THEN 0 ELSE b.amount - b.taken_back END
UNION ALL
SELECT 'bonus_takings_add_up', b.key, format('%s taken back, takings %s', b.taken_back, x.total)
FROM touched b
CROSS JOIN LATERAL (
    SELECT coalesce(sum(amount), 0) AS total FROM bonus_takings
    WHERE bonus_id = b.id AND NOT undone) x
WHERE b.payment_id IS NOT NULL AND b.taken_back <> x.total
UNION ALL
SELECT 'canceled_bonus_is_empty', b.key, format('%s of %s taken back', b.taken_back, b.amount)
FROM touched b WHERE b.state = 'canceled' AND b.taken_back < b.amount
UNION ALL
SELECT 'one_percentage_a_payment', b.payment_id::text, format('%s bonuses', count(*))
FROM bonuses b
WHERE b.kind = 'promo_percent' AND b.payment_id IN (SELECT payment_id FROM touched)
GROUP BY b.payment_id HAVING count(*) > 1
UNION ALL
SELECT 'percentage_has_its_use', b.key, format('payment %s', b.payment_id)
FROM touched b
WHERE b.kind = 'promo_percent' AND NOT EXISTS (
    SELECT FROM promo_uses u
    WHERE u.payment_id = b.payment_id AND u.user_id = b.user_id AND u.percent IS NOT NULL
      AND b.key = format('promo:%s:%s:%s', u.code, u.user_id, u.use))
UNION ALL
SELECT 'bonus_has_its_row', t.key, format('%s %s', t.amount, t.asset)
FROM transfer_totals t
WHERE ($1::timestamptz IS NULL OR t.created_at >= $1)
  AND t.kind = 'referral_bonus' AND t.user_id IS NULL AND t.amount < 0
  AND t.key NOT LIKE 'undo:%' AND NOT EXISTS (SELECT FROM bonuses b WHERE b.key = t.key)
"""

# A code is looked at when its newest use is new: there are few codes and many uses.
PROMO_CODES: Final = """
WITH touched AS (
    SELECT c.* FROM promo_codes c
    WHERE $1::timestamptz IS NULL OR c.created_at >= $1 OR EXISTS (
        SELECT FROM (
            SELECT used_at FROM promo_uses u WHERE u.code = c.code ORDER BY u.id DESC LIMIT 1
        ) newest WHERE newest.used_at >= $1)
)
SELECT 'promo_uses_are_counted' AS check, c.code AS subject,
       format('%s counted, %s rows, limit %s', c.uses, n.rows, c.total_limit) AS detail
FROM touched c
CROSS JOIN LATERAL (SELECT count(*) AS rows FROM promo_uses u WHERE u.code = c.code) n
WHERE c.uses <> n.rows OR n.rows > c.total_limit
UNION ALL
SELECT 'promo_use_is_posted', u.code || ':' || u.user_id || ':' || u.use,
       format('%s %s, the ledger has %s', u.amount, u.asset, p.total)
FROM touched c
JOIN promo_uses u ON u.code = c.code AND ($1::timestamptz IS NULL OR u.used_at >= $1)
CROSS JOIN LATERAL (
    SELECT coalesce(sum(t.amount), 0) AS total FROM transfer_totals t
    WHERE t.key = format('promo:%s:%s:%s', u.code, u.user_id, u.use)
      AND t.user_id = u.user_id AND t.asset = u.asset) p
WHERE u.asset IS NOT NULL AND p.total <> u.amount
UNION ALL
SELECT 'promo_uses_follow', u.code || ':' || u.user_id, format('%s uses, the last is %s',
       count(*), max(u.use))
FROM touched c JOIN promo_uses u ON u.code = c.code
GROUP BY u.code, u.user_id HAVING count(*) <> max(u.use)
UNION ALL
SELECT 'percentage_is_spent', u.code || ':' || u.user_id || ':' || u.use,
       format('payment %s', u.payment_id)
FROM promo_uses u
WHERE $1::timestamptz IS NULL AND u.payment_id IS NOT NULL AND NOT EXISTS (
    SELECT FROM bonuses b WHERE b.payment_id = u.payment_id AND b.kind = 'promo_percent')
UNION ALL
SELECT 'promo_transfer_has_its_use', t.key, format('%s %s', t.amount, t.asset)
FROM transfer_totals t
WHERE ($1::timestamptz IS NULL OR t.created_at >= $1)
  AND t.kind = 'promo_code' AND t.user_id IS NULL AND t.amount < 0 AND t.key LIKE 'promo:%'
  AND NOT EXISTS (SELECT FROM bonuses b WHERE b.key = t.key)
  AND NOT EXISTS (
    SELECT FROM promo_uses u
    WHERE u.code = t.reference AND t.key = format('promo:%s:%s:%s', u.code, u.user_id, u.use))
"""

DAILY: Final = """
SELECT 'daily_bonus_is_posted' AS check, d.product || ':' || d.user_id || ':' || d.day AS subject,
       format('%s %s, the ledger has %s', d.amount, d.asset, p.total) AS detail
FROM daily_bonuses d
CROSS JOIN LATERAL (
    SELECT coalesce(sum(t.amount), 0) AS total FROM transfer_totals t
    WHERE t.key = format('daily:%s:%s:%s', d.product, d.user_id, d.day)
      AND t.user_id = d.user_id AND t.asset = d.asset) p
WHERE ($1::timestamptz IS NULL OR d.claimed_at >= $1) AND p.total <> d.amount
UNION ALL
SELECT 'daily_streak_follows', d.product || ':' || d.user_id || ':' || d.day,
       format('streak %s after %s', d.streak, coalesce(y.streak, 0))
FROM daily_bonuses d
LEFT JOIN daily_bonuses y
    ON y.user_id = d.user_id AND y.product = d.product AND y.day = d.day - 1
WHERE ($1::timestamptz IS NULL OR d.claimed_at >= $1) AND d.streak <> coalesce(y.streak, 0) + 1
UNION ALL
SELECT 'daily_transfer_has_its_day', t.key, format('%s %s', t.amount, t.asset)
FROM transfer_totals t
WHERE ($1::timestamptz IS NULL OR t.created_at >= $1)
  AND t.kind = 'daily_bonus' AND t.user_id IS NULL
  AND NOT EXISTS (
    SELECT FROM daily_bonuses d
    WHERE d.user_id = split_part(t.key, ':', 3)::bigint AND d.product = split_part(t.key, ':', 2)
      AND d.day = split_part(t.key, ':', 4)::date AND d.amount = -t.amount)
"""
