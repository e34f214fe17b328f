"""The simulated YooKassa: payments and refunds in rubles, a page to pay on, notifications."""
