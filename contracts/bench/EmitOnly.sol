// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The least that could be called an anchor: a root in an event
/// @notice For the gas benchmark only. Anyone may call it, nothing orders it and no later state commits to it.
contract EmitOnly {
    event RootEmitted(bytes32 indexed root, uint256 timestamp);

    function anchor(bytes32 root) external {
        emit RootEmitted(root, block.timestamp);
    }
}
