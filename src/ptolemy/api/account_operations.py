"""Everything about accounts, as operations."""

from __future__ import annotations

from ptolemy.api.invitation_operations import invitation_operations
from ptolemy.api.membership_operations import membership_operations
from ptolemy.api.operations import Operation
from ptolemy.api.robot_operations import robot_operations
from ptolemy.api.session_operations import session_operations
from ptolemy.api.sign_in_operations import sign_in_operations
from ptolemy.api.workspace_operations import workspace_operations


def account_operations() -> list[Operation]:
    return [
        *sign_in_operations(),
        *session_operations(),
        *workspace_operations(),
        # Before memberships: `/memberships/robots` must not be taken for the membership called "robots".
        *robot_operations(),
        *membership_operations(),
        *invitation_operations(),
    ]
