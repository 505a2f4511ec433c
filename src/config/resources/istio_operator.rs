//! `IstioOperator`: how the gateways of a mesh are deployed.

use super::MeshConfig;
use crate::config::{
    Spanned,
    decode::{IntOrString, Map, Opaque, object},
};

object! {
    /// `IstioOperator` (install.istio.io/v1alpha1).
    pub struct IstioOperator {
        /// The set of values to begin with; absent: `default`.
        profile: Option<Spanned<String>> = "profile",
        /// The namespace that everything is deployed in; absent: `istio-system`.
        namespace: Option<Spanned<String>> = "namespace",
        /// The name of this control plane among several.
        revision: Option<Spanned<String>> = "revision",
        /// What is the same for the whole mesh.
        mesh_config: Option<Spanned<MeshConfig>> = "meshConfig",
        /// What is deployed.
        components: Option<Spanned<Components>> = "components",
        /// Values of the charts.
        values: Option<Spanned<OperatorValues>> = "values",
        /// Known; for who installs the mesh.
        install_package_path: Option<Spanned<Opaque>> = "installPackagePath",
        /// Known; for who installs the mesh.
        hub: Option<Spanned<Opaque>> = "hub",
        /// Known; for who installs the mesh.
        tag: Option<Spanned<Opaque>> = "tag",
        /// Known; for who installs the mesh.
        tag_propagation: Option<Spanned<Opaque>> = "tagPropagation",
        /// Known; for who installs the mesh.
        resource_suffix: Option<Spanned<Opaque>> = "resourceSuffix",
        /// Known; for who installs the mesh.
        compatibility_version: Option<Spanned<Opaque>> = "compatibilityVersion",
        /// Known; for who installs the mesh.
        default_revision: Option<Spanned<Opaque>> = "defaultRevision",
        /// Known; for who installs the mesh.
        addon_components: Option<Spanned<Opaque>> = "addonComponents",
        /// Known; for who installs the mesh.
        unvalidated_values: Option<Spanned<Opaque>> = "unvalidatedValues",
    }
}

object! {
    /// What is deployed.
    pub struct Components {
        /// Gateways for traffic from outside.
        ingress_gateways: Vec<Spanned<GatewayComponent>> = "ingressGateways",
        /// Gateways for traffic to the outside.
        egress_gateways: Vec<Spanned<GatewayComponent>> = "egressGateways",
        /// Known; not a gateway.
        base: Option<Spanned<Opaque>> = "base",
        /// Known; not a gateway.
        pilot: Option<Spanned<Opaque>> = "pilot",
        /// Known; not a gateway.
        proxy: Option<Spanned<Opaque>> = "proxy",
        /// Known; not a gateway.
        sidecar_injector: Option<Spanned<Opaque>> = "sidecarInjector",
        /// Known; not a gateway.
        policy: Option<Spanned<Opaque>> = "policy",
        /// Known; not a gateway.
        telemetry: Option<Spanned<Opaque>> = "telemetry",
        /// Known; not a gateway.
        citadel: Option<Spanned<Opaque>> = "citadel",
        /// Known; not a gateway.
        node_agent: Option<Spanned<Opaque>> = "nodeAgent",
        /// Known; not a gateway.
        galley: Option<Spanned<Opaque>> = "galley",
        /// Known; not a gateway.
        cni: Option<Spanned<Opaque>> = "cni",
        /// Known; not a gateway.
        istiod_remote: Option<Spanned<Opaque>> = "istiodRemote",
        /// Known; not a gateway.
        ztunnel: Option<Spanned<Opaque>> = "ztunnel",
    }
}

object! {
    /// One deployment of a gateway.
    pub struct GatewayComponent {
        /// The name of its Deployment, Service and ServiceAccount.
        name: Option<Spanned<String>> = "name",
        /// Its namespace; absent: that of the mesh.
        namespace: Option<Spanned<String>> = "namespace",
        /// Whether it is deployed.
        enabled: Option<Spanned<bool>> = "enabled",
        /// The labels of its pods, which Gateways select.
        label: Map<String> = "label",
        /// Settings of its Kubernetes objects.
        k8s: Option<Spanned<KubernetesResources>> = "k8s",
        /// Known; for who installs the mesh.
        hub: Option<Spanned<Opaque>> = "hub",
        /// Known; for who installs the mesh.
        tag: Option<Spanned<Opaque>> = "tag",
        /// Known; for who installs the mesh.
        spec: Option<Spanned<Opaque>> = "spec",
    }
}

object! {
    /// Settings of Kubernetes objects.
    pub struct KubernetesResources {
        /// Its Service.
        service: Option<Spanned<OperatorService>> = "service",
        /// Environment variables.
        env: Vec<Spanned<EnvironmentVariable>> = "env",
        /// Annotations of its pods.
        pod_annotations: Map<String> = "podAnnotations",
        /// Annotations of its Service.
        service_annotations: Map<String> = "serviceAnnotations",
        /// Known; for Kubernetes.
        affinity: Option<Spanned<Opaque>> = "affinity",
        /// Known; for Kubernetes.
        hpa_spec: Option<Spanned<Opaque>> = "hpaSpec",
        /// Known; for Kubernetes.
        image_pull_policy: Option<Spanned<Opaque>> = "imagePullPolicy",
        /// Known; for Kubernetes.
        image_pull_secrets: Option<Spanned<Opaque>> = "imagePullSecrets",
        /// Known; for Kubernetes.
        node_selector: Option<Spanned<Opaque>> = "nodeSelector",
        /// Known; for Kubernetes.
        pod_disruption_budget: Option<Spanned<Opaque>> = "podDisruptionBudget",
        /// Known; for Kubernetes.
        pod_security_context: Option<Spanned<Opaque>> = "podSecurityContext",
        /// Known; for Kubernetes.
        priority_class_name: Option<Spanned<Opaque>> = "priorityClassName",
        /// Known; for Kubernetes.
        readiness_probe: Option<Spanned<Opaque>> = "readinessProbe",
        /// Known; for Kubernetes.
        replica_count: Option<Spanned<Opaque>> = "replicaCount",
        /// Known; for Kubernetes.
        resources: Option<Spanned<Opaque>> = "resources",
        /// Known; for Kubernetes.
        security_context: Option<Spanned<Opaque>> = "securityContext",
        /// Known; for Kubernetes.
        strategy: Option<Spanned<Opaque>> = "strategy",
        /// Known; for Kubernetes.
        tolerations: Option<Spanned<Opaque>> = "tolerations",
        /// Known; for Kubernetes.
        volumes: Option<Spanned<Opaque>> = "volumes",
        /// Known; for Kubernetes.
        volume_mounts: Option<Spanned<Opaque>> = "volumeMounts",
        /// Known; for Kubernetes.
        overlays: Option<Spanned<Opaque>> = "overlays",
    }
    others accepted
}

object! {
    /// The Service of a gateway.
    pub struct OperatorService {
        /// The ports, which replace the usual ones.
        ports: Vec<Spanned<OperatorServicePort>> = "ports",
        /// What kind of service it is.
        r#type: Option<Spanned<String>> = "type",
    }
    others accepted
}

object! {
    /// A port of a gateway's Service.
    pub struct OperatorServicePort {
        /// Its name.
        name: Option<Spanned<String>> = "name",
        /// The number that clients use, and that Gateways declare.
        port: Option<Spanned<i32>> = "port",
        /// The pods' port; absent: the same number.
        target_port: Option<Spanned<IntOrString>> = "targetPort",
        /// The nodes' port.
        node_port: Option<Spanned<i32>> = "nodePort",
        /// `TCP` or another.
        protocol: Option<Spanned<String>> = "protocol",
        /// What is spoken.
        app_protocol: Option<Spanned<String>> = "appProtocol",
    }
}

object! {
    /// An environment variable.
    pub struct EnvironmentVariable {
        /// Its name.
        name: Option<Spanned<String>> = "name",
        /// Its value.
        value: Option<Spanned<String>> = "value",
        /// Known; for Kubernetes.
        value_from: Option<Spanned<Opaque>> = "valueFrom",
    }
}

object! {
    /// Values of the charts, of which there are many.
    pub struct OperatorValues {
        /// `meshConfig` at its old place.
        mesh_config: Option<Spanned<MeshConfig>> = "meshConfig",
        /// Values of the charts of gateways.
        gateways: Option<Spanned<Opaque>> = "gateways",
        /// Values of all charts.
        global: Option<Spanned<Opaque>> = "global",
    }
    others accepted
}
