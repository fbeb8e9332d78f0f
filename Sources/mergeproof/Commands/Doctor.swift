import ArgumentParser
import Checkpoints
import Foundations
import LinearAlgebra

struct Doctor: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what this machine offers and what slows mergeproof down on it.")

    @OptionGroup var display: OutputOptions

    private struct Report: Encodable {
        let version = Release.version
        let library = BLASInfo.version
        let coreType = BLASInfo.coreType
        let pin = BLASInfo.pin
        let pinLiesBelowCPU = BLASInfo.pinLiesBelowCPU
        let vectorBits = BLASInfo.cpuVectorBits
        let cores = WorkerThreads.availableCores

        enum CodingKeys: String, CodingKey {
            case version
            case library = "openblas"
            case coreType = "core_type"
            case pin
            case pinLiesBelowCPU = "pin_below_cpu"
            case vectorBits = "cpu_vector_bits"
            case cores
        }
    }

    func run() throws {
        let pin = BLASInfo.pin
        if display.json {
            try print(json: Report())
        } else {
            print(
                """
                mergeproof  \(Release.version)
                OpenBLAS    \(BLASInfo.version)
                kernels     \(BLASInfo.coreType)\(pin.map { " (pinned by OPENBLAS_CORETYPE=\($0))" } ?? "")
                processor   \(WorkerThreads.availableCores) cores, \(BLASInfo.cpuVectorBits)-bit vectors
                """)
        }
        if BLASInfo.pinLiesBelowCPU {
            warn(
                "OPENBLAS_CORETYPE=\(pin ?? "") pins kernels below what this processor can do; unset it for up to twice the speed"
            )
        }
    }
}
