import Checkpoints
import Crypto
import Synchronization

/// Gathers the tag of one tensor from runs of its bytes, in any order and from any thread.
///
/// A piece that lies whole in a run is hashed where it is; one that several runs share is put together first, so that what waits
/// in memory is a piece per border between runs.
package final class TagGatherer: Sendable {
    private struct Fragment {
        var bytes: [UInt8]
        var missing: Int
    }

    private struct State {
        var codes: [UInt8]
        var fragments: [Int: Fragment] = [:]
        var missingPieces: Int
    }

    private let tensor: TensorRecord
    private let side: Authenticator.Side
    private let authenticator: Authenticator
    private let key: SymmetricKey
    private let state: Mutex<State>

    package init(_ tensor: TensorRecord, _ side: Authenticator.Side, _ authenticator: Authenticator) {
        self.tensor = tensor
        self.side = side
        self.authenticator = authenticator
        key = authenticator.pieceKey(tensor.name, side)
        let pieces =
            tensor.byteCount / Authenticator.pieceBytes + (tensor.byteCount % Authenticator.pieceBytes > 0 ? 1 : 0)
        state = Mutex(
            State(codes: [UInt8](repeating: 0, count: pieces * AuthenticationTag.byteCount), missingPieces: pieces))
    }

    /// Takes a run of the tensor's bytes. Gives the tag with the last one.
    package func absorb(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws -> AuthenticationTag? {
        var tag: AuthenticationTag?
        var start = offset
        let end = offset + bytes.count
        while start < end {
            let index = start / Authenticator.pieceBytes
            let piece = index * Authenticator.pieceBytes..<min((index + 1) * Authenticator.pieceBytes, tensor.byteCount)
            let part = start..<min(piece.upperBound, end)
            let found = UnsafeRawBufferPointer(rebasing: bytes[part.lowerBound - offset..<part.upperBound - offset])
            if part == piece {
                tag = try add(index, found)
            } else if let whole = join(found, at: start - piece.lowerBound, of: piece.count, index) {
                tag = try whole.withUnsafeBytes { try add(index, $0) }
            }
            start = part.upperBound
        }
        return tag
    }

    /// The tag of a tensor without bytes.
    package func tagOfNothing() -> AuthenticationTag { authenticator.tag(tensor, side, codes: []) }

    /// A shared piece's bytes when its last part has come.
    private func join(_ part: UnsafeRawBufferPointer, at offset: Int, of count: Int, _ index: Int) -> [UInt8]? {
        state.withLock { state in
            var fragment =
                state.fragments.removeValue(forKey: index)
                ?? Fragment(bytes: [UInt8](repeating: 0, count: count), missing: count)
            fragment.bytes.withUnsafeMutableBytes { whole in
                UnsafeMutableRawBufferPointer(rebasing: whole[offset..<offset + part.count]).copyMemory(from: part)
            }
            fragment.missing -= part.count
            if fragment.missing == 0 { return fragment.bytes }
            state.fragments[index] = fragment
            return nil
        }
    }

    private func add(_ index: Int, _ piece: UnsafeRawBufferPointer) throws -> AuthenticationTag? {
        let code = try Authenticator.code(of: piece, index: index, key: key)
        let codes: [UInt8]? = state.withLock { state in
            state.codes.replaceSubrange(
                index * AuthenticationTag.byteCount..<(index + 1) * AuthenticationTag.byteCount, with: code)
            state.missingPieces -= 1
            return state.missingPieces == 0 ? state.codes : nil
        }
        return codes.map { authenticator.tag(tensor, side, codes: $0) }
    }
}
