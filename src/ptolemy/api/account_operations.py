"""Everything about accounts, as operations."""

from __future__ import annotations

from ptolemy.api.membership_operations import membership_operations
from ptolemy.api.operations import Operation
from ptolemy.api.robot_operations import robot_operations
from ptolemy.api.sign_in_operations import sign_in_operations
from ptolemy.api.workspace_operations import workspace_operations


def account_operations() -> list[Operation]:
    # Robots before memberships: `/memberships/robots` must not be taken for the membership called "robots".
    return [*sign_in_operations(), *workspace_operations(), *robot_operations(), *membership_operations()]
