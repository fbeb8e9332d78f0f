import LinearAlgebra
import Symmetries
import Testing

/// Rotations of residual streams, as matrices.
@Suite struct RotationTests {
    private func draw(_ n: Int, _ form: Rotation.Form, fixesOnes: Bool) throws -> Rotation {
        var stream = KeyedRandomStream(secret: [7], info: "rotation/\(n)/\(form)/\(fixesOnes)")
        let element = try Group.orthogonal(n, form, fixesOnes: fixesOnes).sample(
            .diagonalOrthogonal, condition: 10, using: &stream)
        guard case .rotation(let rotation) = element else {
            throw LinearAlgebraError.invalidCondition(dimension: n, condition: 0)
        }
        return rotation
    }

    /// RᵀR = 1, the inverse undoes it, and ones stay where they must: in dimensions with every share of factors of two.
    @Test(arguments: [1, 2, 3, 6, 8, 12, 37, 40, 64], Rotation.Form.allCases)
    func isOrthogonal(n: Int, form: Rotation.Form) throws {
        for fixesOnes in [false, true] {
            let rotation = try draw(n, form, fixesOnes: fixesOnes)
            let matrix = rotation.matrix
            let gram = matrix.transposed * matrix - Matrix<Double>.identity(n)
            #expect(gram.frobeniusNorm < 1e-13 * Double(n))
            #expect((rotation.inverse.matrix - matrix.transposed).frobeniusNorm < 1e-13 * Double(n))
            guard fixesOnes else { continue }
            for i in 0..<n { #expect(((0..<n).reduce(0.0) { $0 + matrix[i, $1] } - 1).magnitude < 1e-13 * Double(n)) }
        }
    }

    /// No channel keeps to itself: every entry of a turned vector is made of all.
    @Test(arguments: Rotation.Form.allCases, [false, true])
    func mixesAllChannels(form: Rotation.Form, fixesOnes: Bool) throws {
        let matrix = try draw(48, form, fixesOnes: fixesOnes).matrix
        #expect(matrix.elements.allSatisfy { $0.magnitude < 0.8 })
        #expect(matrix.elements.filter { $0.magnitude < 1e-6 }.count < 48)
    }
}
