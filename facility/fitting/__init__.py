"""From placed events, or from what somebody brings, to a likelihood and its fit."""
