DROP TABLE discounts, daily_bonuses, promo_guards, promo_uses, promo_codes, bonus_takings, bonuses;
