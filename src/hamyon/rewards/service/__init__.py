"""Use cases of rewards: bonuses, promo codes, the daily bonus, the discount, the trial."""

from hamyon.rewards.service.auditing import audit
from hamyon.rewards.service.codes import codes, create_code, patch_code, uses
from hamyon.rewards.service.daily import claim_daily, daily_status
from hamyon.rewards.service.deposits import on_deposit
from hamyon.rewards.service.discounts import (
    offer_discount,
    open_discount,
    use_discount,
    was_discount_offered,
)
from hamyon.rewards.service.due import grant_due
from hamyon.rewards.service.firsts import reward_first, take_back_first, was_rewarded
from hamyon.rewards.service.joins import JoinBonus
from hamyon.rewards.service.redemption import redeem
from hamyon.rewards.service.referrals import referral, referral_tree
from hamyon.rewards.service.refunds import on_refund, undo_refund
from hamyon.rewards.service.trials import end_trial, trial

__all__ = [
    "JoinBonus",
    "audit",
    "claim_daily",
    "codes",
    "create_code",
    "daily_status",
    "end_trial",
    "grant_due",
    "offer_discount",
    "on_deposit",
    "on_refund",
    "open_discount",
    "patch_code",
    "redeem",
    "referral",
    "referral_tree",
    "reward_first",
    "take_back_first",
    "trial",
    "undo_refund",
    "use_discount",
    "uses",
    "was_discount_offered",
    "was_rewarded",
]
