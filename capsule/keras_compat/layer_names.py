"""The layer classes that are Keras' own, of Keras 1 to 3: any other was somebody's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from capsule.artifact.embedded import objects

KERAS_LAYERS = frozenset(
    """
    Model Functional Sequential InputLayer Layer Lambda Dense Activation Embedding Masking
    EinsumDense Identity ReversibleEmbedding Conv1D Conv2D Conv3D SeparableConv1D
    SeparableConv2D DepthwiseConv1D DepthwiseConv2D Conv1DTranspose Conv2DTranspose
    Conv3DTranspose LocallyConnected1D LocallyConnected2D Convolution1D Convolution2D
    Convolution3D Deconvolution2D AtrousConvolution1D AtrousConvolution2D
    SeparableConvolution1D SeparableConvolution2D MaxPooling1D MaxPooling2D MaxPooling3D
    AveragePooling1D AveragePooling2D AveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D
    GlobalMaxPooling3D GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D
    AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveMaxPooling1D
    AdaptiveMaxPooling2D LSTM GRU SimpleRNN RNN LSTMCell GRUCell SimpleRNNCell
    StackedRNNCells CuDNNLSTM CuDNNGRU ConvLSTM1D ConvLSTM2D ConvLSTM3D ConvRNN2D
    Bidirectional TimeDistributed Wrapper BatchNormalization LayerNormalization
    GroupNormalization UnitNormalization SpectralNormalization RMSNormalization
    SyncBatchNormalization Normalization Dropout SpatialDropout1D SpatialDropout2D
    SpatialDropout3D GaussianDropout GaussianNoise AlphaDropout ActivityRegularization
    Attention AdditiveAttention MultiHeadAttention GroupedQueryAttention GroupQueryAttention
    Flatten Reshape Permute RepeatVector Cropping1D Cropping2D Cropping3D UpSampling1D
    UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D Add Subtract
    Multiply Average Maximum Minimum Concatenate Dot Merge LeakyReLU ReLU PReLU ELU Softmax
    ThresholdedReLU ParametricSoftplus SReLU MaxoutDense Highway TimeDistributedDense
    TFSMLayer TorchModuleWrapper JaxLayer FlaxLayer TFOpLambda SlicingOpLambda
    TensorFlowOpLayer ClassMethod InstanceMethod InstanceProperty Rescaling Resizing
    CenterCrop RandomCrop RandomFlip RandomTranslation RandomRotation RandomZoom
    RandomHeight RandomWidth RandomContrast RandomBrightness RandomGrayscale RandomHue
    RandomSaturation RandomSharpness RandomShear RandomPosterization RandomInvert
    RandomPerspective RandomGaussianBlur RandomErasing RandomElasticTransform
    RandomColorJitter RandomColorDegeneration RandomApply RandAugment AugMix AutoContrast
    CutMix MixUp Equalization Solarization Pipeline MaxNumBoundingBoxes CategoryEncoding
    Discretization Hashing HashedCrossing IntegerLookup StringLookup TextVectorization
    FeatureSpace MelSpectrogram STFTSpectrogram SavedModel AddLoss AddMetric
    """.split()  # noqa: SIM905 - a table for the eye
)


def unknown_layers(config: Any) -> Iterator[str]:
    """Give the classes in *config* that no Keras has: layers by their bare name, others too.

    Keras 3 writes no module for a class of ``__main__``, but the name it is registered as.
    """
    for data in objects(config):
        registered = data.get("registered_name")
        if data.get("module", "") is None and isinstance(registered, str):
            yield str(data.get("class_name"))
        inner = data.get("config")
        layers = inner.get("layers") if isinstance(inner, dict) else inner
        for layer in layers if isinstance(layers, list) else []:
            if not isinstance(layer, dict) or "module" in layer:
                continue  # Keras 3 says where a class is from: that is judged elsewhere
            name = layer.get("class_name")
            if isinstance(name, str) and name.rpartition(">")[2] not in KERAS_LAYERS:
                yield name
