"""Reviews: what changes between two sets of manifests, what policies say, and what it does to quotas and cost."""

from __future__ import annotations

from runyard.review.change import Change
from runyard.review.review import Review, Terms, review

__all__ = ["Change", "Review", "Terms", "review"]
