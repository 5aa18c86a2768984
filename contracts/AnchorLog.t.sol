// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from '@openzeppelin/contracts/access/Ownable.sol';
import {AnchorLog} from './AnchorLog.sol';
import {IAnchorLog} from './IAnchorLog.sol';
import {Root} from './Rfc9162.sol';

interface Vm {
    function prank(address sender) external;
    function warp(uint256 timestamp) external;
    function assume(bool condition) external pure;
    function load(address target, bytes32 slot) external view returns (bytes32);
    function expectRevert(bytes calldata data) external;
    function expectEmit(bool topic1, bool topic2, bool topic3, bool data) external;
    function expectEmit(bool topic1, bool topic2, bool topic3, bool data, address emitter) external;
    function snapshotGasLastCall(string calldata group, string calldata name) external returns (uint256);
}

Vm constant VM = Vm(address(uint160(uint256(keccak256('hevm cheat code')))));

uint256 constant BASE_SLOT =
    uint256(keccak256(abi.encode(uint256(keccak256('kedge.anchorlog.v1')) - 1))) & ~uint256(0xff);

/// RFC 9162, 2.1.1 and 2.1.3.1, as they stand there: recursive and slow.
library NaiveTree {
    function leaf(address log, bytes32 anchored, uint256 timestamp) internal view returns (bytes32) {
        return sha256(abi.encodePacked(bytes1(0x00), uint64(block.chainid), log, anchored, uint64(timestamp)));
    }

    function node(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(bytes1(0x01), left, right));
    }

    function root(bytes32[] memory leaves) internal pure returns (bytes32) {
        if (leaves.length == 0) return sha256('');
        if (leaves.length == 1) return leaves[0];
        uint256 k = split(leaves.length);
        return node(root(slice(leaves, 0, k)), root(slice(leaves, k, leaves.length)));
    }

    function path(bytes32[] memory leaves, uint256 index) internal pure returns (bytes32[] memory) {
        if (leaves.length == 1) return new bytes32[](0);
        uint256 k = split(leaves.length);
        bytes32[] memory lower = slice(leaves, 0, k);
        bytes32[] memory upper = slice(leaves, k, leaves.length);
        return index < k ? push(path(lower, index), root(upper)) : push(path(upper, index - k), root(lower));
    }

    /// The largest power of two below `size`.
    function split(uint256 size) internal pure returns (uint256 k) {
        k = 1;
        while (k * 2 < size) k *= 2;
    }

    function slice(bytes32[] memory from, uint256 start, uint256 end) internal pure returns (bytes32[] memory part) {
        part = new bytes32[](end - start);
        for (uint256 i = start; i < end; i++) part[i - start] = from[i];
    }

    function push(bytes32[] memory from, bytes32 last) internal pure returns (bytes32[] memory longer) {
        longer = new bytes32[](from.length + 1);
        for (uint256 i = 0; i < from.length; i++) longer[i] = from[i];
        longer[from.length] = last;
    }
}

contract AnchorLogTest {
    address private constant OWNER = address(0xA11CE);
    bytes32 private constant ROOT = keccak256('a root');

    AnchorLog private log;

    function setUp() public {
        log = new AnchorLog(OWNER, address(this));
    }

    function test_constructor_setsOwnerAndAnchorer() public {
        VM.expectEmit(true, true, true, true);
        emit IAnchorLog.AnchorerSet(address(0), address(7));
        AnchorLog fresh = new AnchorLog(OWNER, address(7));
        require(fresh.owner() == OWNER && fresh.anchorer() == address(7), 'accounts');
        require(fresh.size() == 0 && fresh.peaks().length == 0, 'empty');
        require(Root.unwrap(fresh.logRoot()) == sha256(''), 'the hash of nothing');
    }

    function test_constructor_revertsWhenOwnerIsZero() public {
        VM.expectRevert(abi.encodeWithSelector(Ownable.OwnableInvalidOwner.selector, address(0)));
        new AnchorLog(address(0), address(this));
    }

    /// Through a harness: no EVM at hand runs under such an id.
    function test_constructor_revertsWhenChainIdIsTooLarge() public {
        ChainIdHarness harness = new ChainIdHarness();
        harness.check(type(uint64).max);
        VM.expectRevert(abi.encodeWithSelector(IAnchorLog.AnchorLogChainIdTooLarge.selector, 1 << 64));
        harness.check(1 << 64);
    }

    function test_anchor_emitsAnchored() public {
        VM.warp(1_800_000_000);
        VM.expectEmit(true, true, true, true, address(log));
        emit IAnchorLog.Anchored(0, ROOT, 1_800_000_000);
        log.anchor(ROOT, 0);
    }

    function test_anchor_revertsWhenIndexIsStale() public {
        log.anchor(ROOT, 0);
        VM.expectRevert(abi.encodeWithSelector(IAnchorLog.AnchorLogUnexpectedIndex.selector, 0, 1));
        log.anchor(ROOT, 0);
        require(log.size() == 1, 'a retry appends nothing');
    }

    function test_anchor_revertsWhenIndexIsAhead() public {
        VM.expectRevert(abi.encodeWithSelector(IAnchorLog.AnchorLogUnexpectedIndex.selector, 1, 0));
        log.anchor(ROOT, 1);
        // The low 8 bytes agree: all 32 are compared.
        VM.expectRevert(abi.encodeWithSelector(IAnchorLog.AnchorLogUnexpectedIndex.selector, 1 << 64, 0));
        log.anchor(ROOT, 1 << 64);
    }

    function test_anchor_revertsWhenRootIsZero() public {
        VM.expectRevert(abi.encodeWithSelector(IAnchorLog.AnchorLogZeroRoot.selector));
        log.anchor(0, 0);
    }

    function testFuzz_anchor_revertsForOthers(address other) public {
        VM.assume(other != address(this));
        VM.prank(other);
        VM.expectRevert(abi.encodeWithSelector(IAnchorLog.AnchorLogUnauthorizedAnchorer.selector, other));
        log.anchor(ROOT, 0);
        bytes32[] memory roots = new bytes32[](1);
        VM.prank(other);
        VM.expectRevert(abi.encodeWithSelector(IAnchorLog.AnchorLogUnauthorizedAnchorer.selector, other));
        log.anchorMany(roots, 0);
    }

    function test_anchorMany_revertsWhenEmpty() public {
        VM.expectRevert(abi.encodeWithSelector(IAnchorLog.AnchorLogEmptyBatch.selector));
        log.anchorMany(new bytes32[](0), 0);
    }

    function test_anchorMany_revertsWhenIndexIsStale() public {
        bytes32[] memory roots = _roots(3, ROOT);
        log.anchorMany(roots, 0);
        VM.expectRevert(abi.encodeWithSelector(IAnchorLog.AnchorLogUnexpectedIndex.selector, 0, 3));
        log.anchorMany(roots, 0);
    }

    function testFuzz_anchorMany_isAllOrNothing(uint8 count, uint8 zeroAt) public {
        bytes32[] memory roots = _roots(1 + (count % 32), ROOT);
        roots[zeroAt % roots.length] = 0;
        VM.expectRevert(abi.encodeWithSelector(IAnchorLog.AnchorLogZeroRoot.selector));
        log.anchorMany(roots, 0);
        require(log.size() == 0, 'nothing is half done');
    }

    function test_setAnchorer_movesTheRight() public {
        VM.expectEmit(true, true, true, true, address(log));
        emit IAnchorLog.AnchorerSet(address(this), address(7));
        VM.prank(OWNER);
        log.setAnchorer(address(7));
        VM.expectRevert(abi.encodeWithSelector(IAnchorLog.AnchorLogUnauthorizedAnchorer.selector, address(this)));
        log.anchor(ROOT, 0);
        VM.prank(address(7));
        log.anchor(ROOT, 0);
    }

    function test_setAnchorer_ofZeroStopsAppends() public {
        VM.prank(OWNER);
        log.setAnchorer(address(0));
        VM.expectRevert(abi.encodeWithSelector(IAnchorLog.AnchorLogUnauthorizedAnchorer.selector, address(this)));
        log.anchor(ROOT, 0);
        VM.prank(OWNER);
        log.setAnchorer(address(this));
        log.anchor(ROOT, 0);
    }

    function testFuzz_setAnchorer_keepsTheLog(address next, uint8 count) public {
        uint256 size = count % 16;
        if (size > 0) log.anchorMany(_roots(size, ROOT), 0);
        bytes32 before = Root.unwrap(log.logRoot());
        VM.prank(OWNER);
        log.setAnchorer(next);
        require(log.anchorer() == next && log.size() == size && Root.unwrap(log.logRoot()) == before, 'kept');
    }

    function testFuzz_setAnchorer_revertsForOthers(address other) public {
        VM.assume(other != OWNER);
        VM.prank(other);
        VM.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, other));
        log.setAnchorer(other);
    }

    function test_transferOwnership_takesTwoSteps() public {
        VM.prank(OWNER);
        log.transferOwnership(address(this));
        require(log.owner() == OWNER, 'not yet');
        log.acceptOwnership();
        require(log.owner() == address(this), 'accepted');
    }

    function test_renounceOwnership_reverts() public {
        VM.prank(OWNER);
        VM.expectRevert(abi.encodeWithSelector(IAnchorLog.AnchorLogOwnershipNotRenounceable.selector));
        log.renounceOwnership();
        VM.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, address(this)));
        log.renounceOwnership();
        require(log.owner() == OWNER, 'still owned');
    }

    /// Batches of random lengths: the root, the peaks and the storage that verifiers prove.
    function testFuzz_logRoot_isTheNaiveTrees(bytes32 seed, uint8 count) public {
        bytes32[] memory roots = _roots(uint256(count) % 40, seed);
        bytes32[] memory leaves = new bytes32[](roots.length);
        for (uint256 start = 0; start < roots.length;) {
            uint256 end = start + 1 + (uint256(keccak256(abi.encode(seed, 'batch', start))) % 5);
            if (end > roots.length) end = roots.length;
            VM.warp(block.timestamp + 60);
            if (end - start == 1) log.anchor(roots[start], start);
            else log.anchorMany(NaiveTree.slice(roots, start, end), start);
            for (uint256 i = start; i < end; i++) leaves[i] = NaiveTree.leaf(address(log), roots[i], block.timestamp);
            require(Root.unwrap(log.logRoot()) == NaiveTree.root(NaiveTree.slice(leaves, 0, end)), 'root');
            start = end;
        }
        bytes32 head = VM.load(address(log), bytes32(BASE_SLOT));
        require(uint256(head) == (uint256(uint160(address(this))) << 64) + leaves.length, 'slot S');
        _checkPeaks(leaves);
    }

    /// Every live peak is the root of its own leaves, is in its slot, and `peaks()` lists the largest first.
    function _checkPeaks(bytes32[] memory leaves) private view {
        bytes32[] memory peaks = log.peaks();
        uint256 listed = 0;
        uint256 start = 0;
        for (uint256 left = 6; left > 0; left--) {
            uint256 height = left - 1;
            if ((leaves.length >> height) & 1 == 0) continue;
            bytes32 peak = NaiveTree.root(NaiveTree.slice(leaves, start, start + (1 << height)));
            require(peaks[listed++] == peak, 'peaks()');
            require(VM.load(address(log), bytes32(BASE_SLOT + 1 + height)) == peak, 'slot S+1+k');
            start += 1 << height;
        }
        require(listed == peaks.length, 'one peak per set bit');
    }

    function testFuzz_isAnchored_holdsForEachAndOnlyAsItWas(bytes32 seed, uint8 count, uint8 which) public {
        bytes32[] memory roots = _roots(1 + (uint256(count) % 24), seed);
        log.anchorMany(roots, 0);
        bytes32[] memory leaves = new bytes32[](roots.length);
        for (uint256 i = 0; i < roots.length; i++) {
            leaves[i] = NaiveTree.leaf(address(log), roots[i], block.timestamp);
        }
        uint256 index = which % roots.length;
        uint64 time = uint64(block.timestamp);
        bytes32[] memory proof = NaiveTree.path(leaves, index);
        require(log.isAnchored(roots[index], time, index, proof), 'anchored');
        require(!log.isAnchored(roots[index], time + 1, index, proof), 'another time');
        require(!log.isAnchored(roots[index], time, index + 1, proof), 'another index');
        require(!log.isAnchored(roots[index], time, index + leaves.length, proof), 'index beyond the log');
        require(!log.isAnchored(seed, time, index, proof), 'another root');
        require(!log.isAnchored(roots[index], time, index, NaiveTree.push(proof, seed)), 'path too long');
        AnchorLog twin = new AnchorLog(OWNER, address(this));
        twin.anchorMany(roots, 0);
        require(Root.unwrap(twin.logRoot()) != Root.unwrap(log.logRoot()), 'no two logs hold the same leaf');
    }

    function testFuzz_verifyInclusion_isTheNaiveTrees(bytes32 seed, uint8 count, uint8 which, uint8 bit) public view {
        bytes32[] memory leaves = _roots(1 + (uint256(count) % 40), seed);
        uint256 index = which % leaves.length;
        bytes memory entry = abi.encodePacked(leaves[index]);
        for (uint256 i = 0; i < leaves.length; i++) leaves[i] = sha256(abi.encodePacked(bytes1(0x00), leaves[i]));
        Root root = Root.wrap(NaiveTree.root(leaves));
        bytes32[] memory proof = NaiveTree.path(leaves, index);
        require(log.verifyInclusion(entry, index, leaves.length, proof, root), 'included');
        require(!log.verifyInclusion(entry, index ^ (1 << bit), leaves.length, proof, root), 'another index');
        if (proof.length == 0) return;
        proof[bit % proof.length] ^= bytes32(uint256(1) << bit);
        require(!log.verifyInclusion(entry, index, leaves.length, proof, root), 'a flipped bit');
    }

    /// The second preimage that the prefixes are there against: an inner node's two halves as an entry.
    function testFuzz_verifyInclusion_refusesAnInnerNode(bytes32 a, bytes32 b) public view {
        bytes32 left = sha256(abi.encodePacked(bytes1(0x00), a));
        bytes32 right = sha256(abi.encodePacked(bytes1(0x00), b));
        Root root = Root.wrap(NaiveTree.node(left, right));
        bytes32[] memory none = new bytes32[](0);
        require(!log.verifyInclusion(abi.encodePacked(left, right), 0, 1, none, root), 'node taken for a leaf');
        require(!log.verifyInclusion(abi.encodePacked(a), 0, 2, none, root), 'path too short');
        require(!log.verifyInclusion('', 0, 0, none, Root.wrap(sha256(''))), 'nothing is in the empty tree');
    }

    /// Roots that a path of the wrong length does hash to: its length has to be the one for the index and size.
    function testFuzz_verifyInclusion_refusesAPathOfTheWrongLength(bytes32 a, bytes32 b) public view {
        bytes memory entry = abi.encodePacked(a);
        bytes32 leaf = sha256(abi.encodePacked(bytes1(0x00), a));
        bytes32[] memory path = new bytes32[](0);
        require(!log.verifyInclusion(entry, 0, 2, path, Root.wrap(leaf)), 'too short');
        require(log.verifyInclusion(entry, 0, 1, path, Root.wrap(leaf)), 'a tree of one');
        path = NaiveTree.push(path, b);
        require(!log.verifyInclusion(entry, 0, 1, path, Root.wrap(NaiveTree.node(b, leaf))), 'too long, left');
        require(!log.verifyInclusion(entry, 0, 1, path, Root.wrap(NaiveTree.node(leaf, b))), 'too long, right');
    }

    function test_gas_ofAppends() public {
        log.anchorMany(_roots(510, ROOT), 0);
        log.anchor(ROOT, 510);
        VM.snapshotGasLastCall('AnchorLog', 'anchor, no merge');
        log.anchor(ROOT, 511);
        VM.snapshotGasLastCall('AnchorLog', 'anchor, nine merges and a new peak');
        log.anchor(ROOT, 512);
        log.anchor(ROOT, 513);
        VM.snapshotGasLastCall('AnchorLog', 'anchor, one merge');
        log.anchorMany(_roots(16, ROOT), 514);
        VM.snapshotGasLastCall('AnchorLog', 'anchorMany, 16 roots');
    }

    function _roots(uint256 count, bytes32 seed) private pure returns (bytes32[] memory roots) {
        roots = new bytes32[](count);
        for (uint256 i = 0; i < count; i++) roots[i] = keccak256(abi.encode(seed, i));
    }
}

contract ChainIdHarness is AnchorLog {
    constructor() AnchorLog(msg.sender, msg.sender) {}

    function check(uint256 chainId) external pure {
        _checkChainId(chainId);
    }
}

/// Does to a log whatever the fuzzer says, and remembers what should be in it.
contract Operator {
    AnchorLog public immutable LOG = new AnchorLog(address(this), address(this));
    bytes32[] private leaves;

    function anchor(bytes32 root) external {
        if (root == 0) return;
        LOG.anchor(root, leaves.length);
        leaves.push(NaiveTree.leaf(address(LOG), root, block.timestamp));
    }

    function anchorMany(bytes32 seed, uint8 count) external {
        bytes32[] memory roots = new bytes32[](1 + (count % 7));
        for (uint256 i = 0; i < roots.length; i++) roots[i] = keccak256(abi.encode(seed, i));
        LOG.anchorMany(roots, leaves.length);
        for (uint256 i = 0; i < roots.length; i++) {
            leaves.push(NaiveTree.leaf(address(LOG), roots[i], block.timestamp));
        }
    }

    function wait(uint16 time) external {
        VM.warp(block.timestamp + time);
    }

    function retry(bytes32 root, uint256 index) external {
        if (index == leaves.length) return;
        try LOG.anchor(root, index) {
            revert('appended where it was not expected');
        } catch {}
    }

    function replaceAnchorer(bytes32 root) external {
        LOG.setAnchorer(address(7));
        try LOG.anchor(root, leaves.length) {
            revert('appended without the right to');
        } catch {}
        LOG.setAnchorer(address(this));
    }

    function allLeaves() external view returns (bytes32[] memory) {
        return leaves;
    }
}

contract AnchorLogInvariantTest {
    Operator private operator;

    function setUp() public {
        operator = new Operator();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(operator);
    }

    /// Checked after every call, so no past leaf can ever have changed.
    function invariant_logIsTheNaiveTreeOfAllThatWasAppended() public view {
        bytes32[] memory leaves = operator.allLeaves();
        AnchorLog log = operator.LOG();
        require(log.size() == leaves.length, 'size');
        require(Root.unwrap(log.logRoot()) == NaiveTree.root(leaves), 'root');
    }

    function invariant_outsidersAppendNothing() public {
        AnchorLog log = operator.LOG();
        uint256 size = log.size();
        try log.anchor(keccak256('outsider'), size) {
            revert('appended');
        } catch {}
        require(log.size() == size, 'size');
    }
}
