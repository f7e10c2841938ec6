{{- define "gradewatch.labels" -}}
app.kubernetes.io/name: gradewatch
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "gradewatch.image" -}}
{{- $tag := .root.Values.image.tag | default .root.Chart.AppVersion -}}
image: {{ printf "%sgradewatch-%s%s%s" .root.Values.image.registry .name (ternary "" ":" (hasPrefix "@" $tag)) $tag | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
{{- end }}

{{- define "gradewatch.pod" -}}
automountServiceAccountToken: false
securityContext:
  runAsNonRoot: true
  runAsUser: 1000
  runAsGroup: 1000
  fsGroup: 1000
  seccompProfile: {type: RuntimeDefault}
volumes:
  - name: data      # models that this pod has used; all else lies in the database
    emptyDir: {}
  - name: tmp
    emptyDir: {}
  {{- with .Values.signOn.configMapName }}
  - name: sign-on
    configMap: {name: {{ . }}}
  {{- end }}
{{- end }}

{{- define "gradewatch.container" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
envFrom:
  - configMapRef: {name: {{ .Release.Name }}-settings}
  - secretRef: {name: {{ .Values.secretName }}}
volumeMounts:
  - {name: data, mountPath: /var/lib/gradewatch}
  - {name: tmp, mountPath: /tmp}
  {{- if .Values.signOn.configMapName }}
  - {name: sign-on, mountPath: /etc/gradewatch, readOnly: true}
  {{- end }}
{{- end }}
