import LinearAlgebra
import Symmetries

/// The actions along a tensor's axis in the form that the kernels take, covering the axis from its first index to its last.
struct PreparedActions<Storage: WeightStorage>: Sendable {
    enum Action: Sendable {
        case copy
        case dense(Matrix<Storage.Real>)
        case torus(Torus)
        /// Exact: a source channel within the run, and ± a power of two.
        case monomial(source: [Int32], scale: [Double], kernelScale: [Storage.Scale])
    }

    struct Run: Sendable {
        let range: Range<Int>
        let action: Action
    }

    let runs: [Run]

    /// - Parameter band: the rows of `edits` that these actions are for.
    init(_ band: TensorEdits.Band, of edits: TensorEdits, elements: ElementSource) throws {
        let (rows, columns) = edits.tensor.matrixShape
        let extent = edits.axis == 0 ? rows : columns
        var runs: [Run] = []
        var end = 0
        for edit in band.edits {
            if edit.slice.start > end { runs.append(Run(range: end..<edit.slice.start, action: .copy)) }
            end = edit.slice.start
            for action in try elements.element(at: edit.site).actions(
                edit.slice.representation, width: edit.slice.width)
            {
                runs.append(
                    Run(range: end..<end + action.length, action: Self.prepare(action, forRows: edits.axis == 0)))
                end += action.length
            }
        }
        if end < extent { runs.append(Run(range: end..<extent, action: .copy)) }
        self.runs = runs
    }

    private static func prepare(_ action: AxisAction, forRows: Bool) -> Action {
        switch action {
        case .monomial(let monomial) where monomial.isExact:
            .monomial(
                source: monomial.source.map(Int32.init), scale: monomial.scale,
                kernelScale: monomial.scale.map { Storage.Scale($0) })
        case .torus(let torus) where forRows: .torus(torus)
        case .dense, .torus, .monomial: .dense(Matrix<Storage.Real>(rounding: action.matrix))
        }
    }
}
